"""`hopline ingress`, `worker` and `sink`: one role in the foreground, until SIGINT or SIGTERM."""

import click
import uvloop

from cli.errors import CommandFailed
from cli.garbage import collect_rarely, load
from cli.logs import set_up_logging
from cli.settings import LogSettings, resolve
from cli.signals import stop_on_signals
from transport.telemetry.settings import OtlpSettings


@click.command("ingress")
def ingress() -> None:
    """Take events over HTTP, and serve the API (HOPLINE_HOST, HOPLINE_PORT)."""
    _run("ingress")


@click.command("worker")
def worker() -> None:
    """Deduplicate, route and execute. Any number may run; partitions are shared among them."""
    _run("worker")


@click.command("sink")
def sink() -> None:
    """Write the run history to ClickHouse (HOPLINE_CLICKHOUSE)."""
    _run("sink")


def _run(role: str) -> None:
    """Returns once the role has drained. Raises `CommandFailed` when it has crashed."""
    otlp = resolve(OtlpSettings).sends_logs
    set_up_logging(resolve(LogSettings), service=f"hopline-{role}", otlp=otlp)
    if code := uvloop.run(_until_signal(role)):
        raise CommandFailed(f"the {role} has ended with code {code}: the log above says why")


async def _until_signal(role: str) -> int:
    stop = stop_on_signals()
    # Loading a role takes up to two seconds, which no other command, nor --help, should have to wait for; and
    # none should carry the libraries of the others in its memory.
    serving = load(f"cli.serving.{role}")
    collect_rarely()
    return int(await serving.serve(stop))
