"""What the shell costs: one deduplicating stage alone, beside librdkafka consuming and producing.

`python -m bench.stage [--events N] [--kafka HOST:PORT]`; without `--kafka` it starts a broker of its own.
Prints events per second, and the CPU time of this process for each event.
"""

import argparse
import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvloop
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka import Producer as LibrdkafkaProducer
from confluent_kafka.admin import AdminClient, NewTopic

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Kept, Record, Stage
from streams.shell.worker import Worker
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

PARTITIONS = 4
SOURCE, OUTPUT, CHANGELOG = "trigger.events", "run.commands", "changelog.dedup"


@dataclass(frozen=True)
class Figure:
    """One way of doing it, measured."""

    way: str
    events_per_s: float
    cpu_us_per_event: float

    def __str__(self) -> str:
        return f"{self.way:<28} {self.events_per_s:>10,.0f} events/s {self.cpu_us_per_event:>8.1f} µs CPU"


class _Watch:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def figure(self, way: str, events: int) -> Figure:
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Figure(way, events / wall, cpu / events * 1e6)


def _deduplicate(record: Record, kept: Kept, now: float) -> Decision:
    event = json.loads(record.value or b"")
    key = event["id"]
    if kept.get(key) is not None:
        return Decision()
    return Decision([Send(OUTPUT, record.key, record.value)], {key: b"%d" % record.offset})


def _create_topics(kafka: KafkaSettings) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    new = [NewTopic(kafka.full_name(topic), PARTITIONS, 1) for topic in (SOURCE, OUTPUT, CHANGELOG)]
    for created in admin.create_topics(new).values():
        created.result(20)


async def _fill(kafka: KafkaSettings, events: int) -> None:
    """Every tenth event is a repeat."""
    producer = Producer(kafka, message_timeout_s=60)
    names = [f"event-{number - number % 10 // 9}" for number in range(events)]
    values = [json.dumps({"id": name, "padding": "x" * 200}).encode() for name in names]
    for begin in range(0, events, 5000):
        chunk = zip(names[begin : begin + 5000], values[begin : begin + 5000], strict=True)
        await producer.send_all([Send(SOURCE, name.encode(), value) for name, value in chunk])
    await producer.close()


async def _stage(kafka: KafkaSettings, store: Literal["memory", "rocksdb"], events: int) -> Figure:
    producer = Producer(kafka, message_timeout_s=60)
    done = asyncio.Event()
    decided = 0

    def count(record: Record, kept: Kept, now: float) -> Decision:
        nonlocal decided
        decided += 1
        if decided >= events:
            done.set()
        return _deduplicate(record, kept, now)

    with tempfile.TemporaryDirectory() as folder:
        settings = ShellSettings(kafka, "bench", Path(folder), store=store)
        worker = Worker(settings, [Stage("dedup", SOURCE, count, "dedup")], [], producer, _no_dead_letter)
        await worker.start()
        await worker.ready.wait()
        watch = _Watch()
        await done.wait()
        await worker.stop()
        figure = watch.figure(f"stage, {store}", events)
        await producer.close()
    return figure


def _no_dead_letter(stage: str, record: Record, error: BaseException) -> Send:
    raise error


def _librdkafka(kafka: KafkaSettings, events: int) -> Figure:
    """The same work without a table, without acknowledging in order, without recovery."""
    servers = {"bootstrap.servers": kafka.bootstrap_servers}
    consumer = Consumer({**servers, "group.id": kafka.full_name("plain")})
    producer = LibrdkafkaProducer({**servers, "linger.ms": 1, "queue.buffering.max.messages": 500_000})
    topic = kafka.full_name(SOURCE)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    watch = _Watch()
    read = 0
    while read < events:
        for message in consumer.consume(1000, 1.0):
            json.loads(message.value() or b"")
            producer.produce(kafka.full_name(OUTPUT), message.value(), message.key())
            read += 1
        producer.poll(0)
    producer.flush(60)
    figure = watch.figure("librdkafka, plain loop", events)
    consumer.close()
    return figure


@asynccontextmanager
async def _broker(address: str | None, say: Callable[[str], None]) -> AsyncIterator[str]:
    if address is not None:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder:
        broker = EmbeddedBroker(BrokerSettings(data_dir=Path(folder), port=0))
        await broker.start(say)
        try:
            yield broker.bootstrap_servers
        finally:
            await broker.stop()


async def _latency(kafka: KafkaSettings, events: int) -> tuple[float, float]:
    """Milliseconds from a confirmed event to its confirmed rows on an otherwise idle stage: p50, p99."""
    producer = Producer(kafka, message_timeout_s=60)
    took: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = ShellSettings(kafka, "latency", Path(folder), group="latency")
        finished = asyncio.Event()
        worker = Worker(
            settings,
            [Stage("dedup", SOURCE, _deduplicate, "dedup")],
            [],
            producer,
            _no_dead_letter,
            metrics=_Finished(finished),
        )
        await worker.start()
        await worker.ready.wait()
        for number in range(events):
            finished.clear()
            sent = time.perf_counter()
            event = json.dumps({"id": f"late-{number}"}).encode()
            await producer.send(Send(SOURCE, b"late", event))
            await finished.wait()
            took.append((time.perf_counter() - sent) * 1000)
            await asyncio.sleep(0.02)
        await worker.stop()
    await producer.close()
    took.sort()
    return took[len(took) // 2], took[len(took) * 99 // 100]


class _Finished:
    """`ShellMetrics` that sets an event after each batch."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None:
        """The batch is confirmed."""
        self._event.set()

    def task(self, stage: str, seconds: float) -> None:
        """Not counted."""

    def waited(self, topic: str, delay_s: float) -> None:
        """Not counted."""

    def dead_letter(self, stage: str, reason: str) -> None:
        """Not counted."""

    def due(self, stage: str, rows: int, late_s: float) -> None:
        """Not counted."""

    def ready(self, partitions: int, seconds: float) -> None:
        """Not counted."""


async def main() -> None:
    """Runs the ways one after the other, each on topics of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--kafka", help="bootstrap servers of a broker that runs already")
    arguments = parser.parse_args()
    async with _broker(arguments.kafka, print) as address:

        def deployment() -> KafkaSettings:
            prefix = f"bench{uuid.uuid4().hex[:8]}."
            return KafkaSettings(bootstrap_servers=address, topic_prefix=prefix, partitions=PARTITIONS)

        for store in ("memory", "rocksdb"):
            kafka = deployment()
            _create_topics(kafka)
            await _fill(kafka, arguments.events)
            print(await _stage(kafka, store, arguments.events), flush=True)
        print(_librdkafka(kafka, arguments.events), flush=True)
        kafka = deployment()
        _create_topics(kafka)
        p50, p99 = await _latency(kafka, 200)
        print(f"{'one event at a time':<28} p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)


if __name__ == "__main__":
    uvloop.run(main())
