"""What producers see of an ingress that gets too little of the processor: `python -m bench.overload`.

An ingress alone, on a broker of its own. Orders are posted open loop, and the driver opens a connection
whenever none is idle, as producers do. In the middle of it the process is stopped most of the time, with
SIGSTOP and SIGCONT, so it is as starved on any machine. Then the topic is read: each order that was accepted
must be there once, and none that was refused.
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
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from bench.connection import Connection, Endpoint
from bench.deployment import Deployment
from bench.fleet import Member, Processes, lasting_port
from bench.orders import Order, batch_name, orders
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from schemas.codec import SingleObjectCodec
from transport.settings import KafkaSettings

_TOPIC = "trigger.events"
_PERIOD_S = 0.1
"""Of stopping and going on."""
_CALM_S = 3.0
"""Before the process is starved, and after it."""
_NO_ANSWER = "no answer"


class Ingress(Processes):
    """The process, and a broker."""

    def __init__(self, home: Path) -> None:
        """`home` gets the state and the logs."""
        port, api_key = lasting_port(), f"hl_{secrets.token_urlsafe(24)}"
        self._home = home
        self._own = {"HOPLINE_PORT": str(port), "HOPLINE_API_KEY": api_key}
        self.deployment = Deployment(f"http://127.0.0.1:{port}", api_key)
        self.kafka = KafkaSettings()
        self.pid = 0

    async def _start(self, stack: AsyncExitStack) -> None:
        broker = EmbeddedBroker(BrokerSettings(data_dir=self._home, port=0))
        stack.push_async_callback(broker.stop)
        await broker.start(lambda _: None)
        self.kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        env = {
            "HOPLINE_KAFKA": broker.bootstrap_servers,
            "HOPLINE_STORAGE": f"file://{self._home / 'storage'}",
            "HOPLINE_SECRET_KEY": secrets.token_urlsafe(32),
            **self._own,
        }
        hopline = str(Path(sys.executable).with_name("hopline"))
        member = Member("ingress", [hopline, "ingress"], env, self._home / "ingress.log")
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


@dataclass(slots=True)
class Posted:
    """What producers have seen."""

    answers: dict[str, str] = field(default_factory=dict)
    """Order id -> status, or why there is none."""
    took_s: list[float] = field(default_factory=list)
    """Of those that were answered."""

    async def post(self, connection: Connection, order: Order, patience_s: float) -> None:
        """One order, and what came of it."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(patience_s):
                status, _ = await connection.post(order.order_id, order.body)
        except OSError as none:
            self.answers[order.order_id] = f"{_NO_ANSWER}: {type(none).__name__}"
            connection.close()
            return
        self.answers[order.order_id] = str(status)
        self.took_s.append(time.perf_counter() - began)


async def post_all(endpoint: Endpoint, per_s: float, count: int, patience_s: float) -> Posted:
    """At this rate, whether or not the last one has been answered."""
    posted, source = Posted(), orders(batch_name("ovl"))
    idle: list[Connection] = []

    async def post_one(order: Order) -> None:
        connection = idle.pop() if idle else Connection(endpoint)
        await posted.post(connection, order, patience_s)
        idle.append(connection)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
            group.create_task(post_one(next(source)))
    for connection in idle:
        connection.close()
    return posted


def recorded(kafka: KafkaSettings) -> Counter[str]:
    """How often each order is in the topic. Blocks."""
    config = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": "overload",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    consumer, codec, topic = Consumer(config), SingleObjectCodec(), kafka.full_name(_TOPIC)
    found: Counter[str] = Counter()
    try:
        left = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
        while left:
            for message in consumer.consume(1000, timeout=1):
                if (error := message.error()) is None:
                    found[codec.decode("TriggerEvent", message.value())["trigger_id"]] += 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
    finally:
        consumer.close()
    return found


def _report(posted: Posted, found: Counter[str]) -> int:
    """0 if each order was answered, and each accepted one is recorded once and no refused one is."""
    for answer, count in Counter(posted.answers.values()).most_common():
        print(f"{count:8,}  {answer}")
    took = sorted(posted.took_s)
    p99_s = took[int(len(took) * 0.99)]
    print(f"answers took p50 {statistics.median(took):.3f} s, p99 {p99_s:.2f} s, at most {took[-1]:.2f} s")
    wrong = [order for order, answer in posted.answers.items() if found[order] != _due(answer, found[order])]
    silent = sum(answer.startswith(_NO_ANSWER) for answer in posted.answers.values())
    print(f"posted {len(posted.answers):,}, not answered {silent:,}, recorded otherwise {len(wrong):,}")
    return 1 if wrong or silent else 0


def _due(answer: str, found: int) -> int:
    """How often the order may be recorded: who got no answer does not know."""
    return 1 if answer == "202" else min(found, 1) if answer.startswith(_NO_ANSWER) else 0


async def _main(rate: float, seconds: float, share: float, patience_s: float) -> int:
    with tempfile.TemporaryDirectory() as home:
        async with Ingress(Path(home)) as ingress:
            job = await ingress.deployment.install_job()
            count = round(rate * (2 * _CALM_S + seconds))
            posting = asyncio.create_task(post_all(job.endpoint, rate, count, patience_s))
            await asyncio.sleep(_CALM_S)
            with starved(ingress.pid, share):
                await asyncio.sleep(seconds)
            posted = await posting
            return _report(posted, await asyncio.to_thread(recorded, ingress.kafka))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=300.0, help="orders a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of starving")
    parser.add_argument("--share", type=float, default=0.05, help="of the time that it runs then")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds until a producer gives up")
    given = parser.parse_args()
    sys.exit(uvloop.run(_main(given.rate, given.seconds, given.share, given.patience)))
