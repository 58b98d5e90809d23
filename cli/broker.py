"""`hopline broker`: the embedded Kafka alone."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from cli.settings import resolve
from cli.signals import stop_on_signals


@click.command("broker")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="[default: .hopline]")
@click.option("--port", type=click.IntRange(1, 65535), help="On 127.0.0.1.  [default: 9092]")
def broker(**options: Any) -> None:
    """Run the embedded Kafka (KRaft, one node) alone, until Ctrl-C."""
    # An option that is not given leaves the setting to the environment.
    given = {name: value for name, value in options.items() if value is not None}
    uvloop.run(_serve(EmbeddedBroker(resolve(BrokerSettings, **given))))


async def _serve(embedded: EmbeddedBroker) -> None:
    stop = stop_on_signals()
    try:
        if await _unless(stop, embedded.start(lambda line: click.echo(line, err=True))):
            click.echo(f"Kafka is ready at {embedded.bootstrap_servers}, its log is {embedded.log_path}")
            if await _unless(stop, embedded.wait()):
                raise embedded.cause_of_death()
    finally:
        await embedded.stop()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether the work has ended; False if `stop` was set before, and the work is cancelled."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False
    task.result()
    return True
