"""What producers see of an ingress that gets too little of the processor: `python -m bench.overload`.

An ingress alone, on a broker of its own. Orders are posted open loop, and the driver opens a connection
whenever none is idle, as producers do. In the middle of it the process is stopped most of the time, with
SIGSTOP and SIGCONT, so it is as starved on any machine. Then the topic is read: each order that was accepted
must be there once, and none that was refused.

With `--insist` each order is posted again and again until it is accepted, five times a second, whatever the
refusals ask for. It must come to an end: the storm of these must not outlive what has raised it.
"""

import argparse
import asyncio
import multiprocessing
import os
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.connection import Endpoint
from bench.deployment import Deployment
from bench.fleet import Member, Processes, lasting_port
from bench.journal import Journal
from bench.load import open_loop
from bench.orders import batch_name, orders
from bench.reading import messages_of
from bench.traffic import NotAccepted, Traffic
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from schemas.codec import SingleObjectCodec
from transport.settings import KafkaSettings

_TOPIC = "trigger.events"
_PERIOD_S = 0.1
"""Of stopping and going on."""
_CALM_S = 3.0
"""Before the process is starved, and after it."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is posted."""

    per_s: float
    seconds: float
    patience_s: float
    """Until a producer gives up: on an answer, or on an order after all of that."""


class Ingress(Processes):
    """The process, and a broker."""

    def __init__(self, home: Path) -> None:
        """`home` gets the state and the logs."""
        port, api_key = lasting_port(), f"hl_{secrets.token_urlsafe(24)}"
        self.home = home
        self._own = {"HOPLINE_PORT": str(port), "HOPLINE_API_KEY": api_key}
        self.deployment = Deployment(f"http://127.0.0.1:{port}", api_key)
        self.kafka = KafkaSettings()
        self.pid = 0

    async def _start(self, stack: AsyncExitStack) -> None:
        broker = EmbeddedBroker(BrokerSettings(data_dir=self.home, port=0))
        stack.push_async_callback(broker.stop)
        await broker.start(lambda _: None)
        self.kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        env = {
            "HOPLINE_KAFKA": broker.bootstrap_servers,
            "HOPLINE_STORAGE": f"file://{self.home / 'storage'}",
            "HOPLINE_SECRET_KEY": secrets.token_urlsafe(32),
            **self._own,
        }
        hopline = str(Path(sys.executable).with_name("hopline"))
        member = Member("ingress", [hopline, "ingress"], env, self.home / "ingress.log")
        stack.push_async_callback(member.stop)
        program = await member.start()
        await program.wait_until(self.deployment.is_up, 90)
        self.pid = program.pid


def _starve(pid: int, share: float) -> None:
    """In a process of its own, until it is terminated."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(_PERIOD_S * (1 - share))
        os.kill(pid, signal.SIGCONT)
        time.sleep(_PERIOD_S * share)


@contextmanager
def starved(pid: int, share: float) -> Iterator[None]:
    """It runs for this share of the time."""
    process = multiprocessing.get_context("spawn").Process(target=_starve, args=(pid, share), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()
        os.kill(pid, signal.SIGCONT)


def recorded(kafka: KafkaSettings) -> Counter[str]:
    """How often each order is in the topic. Blocks."""
    codec = SingleObjectCodec()
    return Counter(
        codec.decode("TriggerEvent", message.value)["trigger_id"] for message in messages_of(kafka, _TOPIC)
    )


async def _once(endpoint: Endpoint, load: Load, ingress: Ingress) -> int:
    """Each order is posted once. 0 if all are answered, and those that were accepted are recorded once."""
    posted = await open_loop(
        endpoint,
        orders(batch_name("ovl")),
        per_s=load.per_s,
        count=round(load.per_s * load.seconds),
        on_progress=lambda _: None,
        patience_s=load.patience_s,
    )
    print(f"{len(posted.ack_ms):8,}  accepted")
    for why, count in posted.refusals.most_common():
        print(f"{count:8,}  {why}")
    took = sorted(posted.ack_ms.values())
    p99_ms = took[int(len(took) * 0.99)]
    print(
        f"accepted in p50 {statistics.median(took):.1f} ms, p99 {p99_ms:,.0f} ms, at most {took[-1]:,.0f} ms"
    )
    silent = {order for order, why in posted.refused.items() if not why.isdigit()}
    # Who got no answer does not know.
    known, found = posted.sent_at.keys() - silent, await asyncio.to_thread(recorded, ingress.kafka)
    wrong = [order for order in known if found[order] != (order in posted.ack_ms)]
    print(f"posted {len(posted.sent_at):,}, not answered {len(silent):,}, recorded otherwise {len(wrong):,}")
    return 1 if wrong or silent else 0


async def _insist(endpoint: Endpoint, load: Load, ingress: Ingress) -> int:
    """Each order is posted until it is accepted. 0 if all are, and are recorded."""
    with Journal(ingress.home / "journal") as journal:
        traffic = Traffic(endpoint, journal, give_up_after_s=load.seconds + load.patience_s, obeys=False)
        began = time.monotonic()
        try:
            await traffic.post_at(load.per_s, load.seconds, orders(batch_name("ovl")), lambda _: None)
        except* NotAccepted as failed:
            print(f"given up: {failed.exceptions[0]}")
        late_s = time.monotonic() - began - load.seconds
    print(
        f"{journal.posts:,} accepted, the last {late_s:.1f} s after it was due; {journal.retries:,} refused"
    )
    missing = journal.acknowledged - (await asyncio.to_thread(recorded, ingress.kafka)).keys()
    print(f"accepted and not recorded {len(missing):,}")
    return 1 if missing or journal.posts < load.seconds * load.per_s else 0


async def _main(load: Load, share: float, insist: bool) -> int:
    with tempfile.TemporaryDirectory() as home:
        async with Ingress(Path(home)) as ingress, asyncio.TaskGroup() as group:
            endpoint = (await ingress.deployment.install_job()).endpoint
            group.create_task(_starve_between(ingress.pid, load.seconds, share))
            return await (_insist if insist else _once)(endpoint, load, ingress)


async def _starve_between(pid: int, seconds: float, share: float) -> None:
    """Leaves `_CALM_S` at both ends."""
    await asyncio.sleep(_CALM_S)
    with starved(pid, share):
        await asyncio.sleep(seconds - 2 * _CALM_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=300.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of starving")
    parser.add_argument("--share", type=float, default=0.05, help="of the time that it runs then")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds until a producer gives up")
    parser.add_argument("--insist", action="store_true", help="post each order until it is accepted")
    given = parser.parse_args()
    load = Load(given.rate, given.seconds + 2 * _CALM_S, given.patience)
    sys.exit(uvloop.run(_main(load, given.share, given.insist)))
