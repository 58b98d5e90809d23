"""`python -m bench.hops`: what a worker's own code does for one run of the job where every node is a hop.

The stages of a worker as `streams.app` puts them together, in this process: what is sent is brought back to
the stage that reads it. Rows are in RocksDB, whose threads count; nothing of Kafka and librdkafka does.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import uvloop
from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry

from bench import report
from bench.cpu import door, job
from bench.cpu.broker import Confirming, Feed
from bench.cpu.door import Door
from bench.cpu.partition import Partition
from bench.cpu.slices import calibrated, timed
from bench.orders import Order, batch_name, orders
from cli.garbage import collect_rarely
from schemas.codec import Codec, SingleObjectCodec
from streams import app
from streams.dead_letters import dead_letter
from streams.executors.registry import Executors
from streams.interruptions import Interruptions
from streams.metrics import WorkerMetrics
from streams.settings import WorkerSettings
from streams.shell.assignment import Assignment
from streams.shell.inbox import Inbox
from streams.shell.offsets import TopicPartition
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Outbox
from streams.shell.queues import Queues
from streams.shell.rocks import RocksRows
from streams.shell.settings import ShellSettings
from streams.shell.table import Table
from streams.shell.tasks import ConcurrentStage
from transport.definitions import Definitions
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.settings import KafkaSettings
from transport.storage import Storage
from transport.values import ValueStore

_READ = ("trigger.events", "run.commands")
"""Of the ordered stages, those that the job has to do with."""

_WARM_UP, _HUNG_S = 20, 300.0


class Worker:
    """One partition of each topic, and rows in RocksDB."""

    def __init__(self, definitions: Definitions, codec: Codec, home: Path) -> None:
        """Must be called inside the running loop."""
        self._settings = ShellSettings(KafkaSettings(), "bench", home)
        self._producer, self._room = Confirming(), asyncio.Event()
        self._inboxes: dict[str, Inbox] = {}
        metrics = WorkerMetrics(CollectorRegistry())
        stages, [tasks] = app._stages(
            WorkerSettings(every_node_a_hop=True),
            cast(DefinitionsFeed, Feed(definitions)),
            codec,
            cast(Executors, None),  # All nodes of the job are pure.
            None,
            metrics,
            ValueStore(Storage(MemoryStore())),
            Interruptions(),
        )
        outbox, bury = Outbox(self._producer, self._settings.retries), partial(dead_letter, codec)
        self._stages: list[OrderedStage | ConcurrentStage] = []
        for stage in stages:
            if stage.source in _READ:
                table = Table(stage, RocksRows(home / stage.name))
                table.open(0, 0, 0, 1)
                self._stages.append(
                    OrderedStage(
                        stage,
                        table,
                        self._inbox(stage.source),
                        outbox,
                        bury,
                        settings=self._settings,
                        clock=time.time,
                        metrics=metrics.shell,
                    )
                )
        filled = asyncio.Event()
        queues = Queues([self._inbox(source, filled) for source in tasks.sources], filled)
        self._stages.append(ConcurrentStage(tasks, queues, outbox, bury, metrics.shell))
        places = {topic: TopicPartition(self._settings.kafka.full_name(topic), 0) for topic in self._inboxes}
        assignment = Assignment(1, frozenset(places.values()), lambda: True)
        self._offsets = assignment.offsets
        self._partitions = {
            topic: Partition(assignment, place, self._inboxes[topic]) for topic, place in places.items()
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """Works until it is left."""
        tasks = [asyncio.create_task(stage.run()) for stage in self._stages]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def take(self, events: Sequence[Send]) -> list[Send]:
        """All that comes of these events, until nothing more does."""
        self._deliver(events)
        told: list[Send] = []
        while self._offsets.unfinished() or self._producer.sends:
            await asyncio.sleep(0)
            sends = self._producer.taken()
            self._deliver(sends)
            told += sends
        return told

    def _inbox(self, topic: str, filled: asyncio.Event | None = None) -> Inbox:
        inbox = self._inboxes[topic] = Inbox(self._settings.held, self._room, filled)
        return inbox

    def _deliver(self, sends: Sequence[Send]) -> None:
        by_topic: dict[str, list[Send]] = {}
        for send in sends:
            if send.topic in self._partitions:
                by_topic.setdefault(send.topic, []).append(send)
        for topic, its in by_topic.items():
            self._partitions[topic].deliver(its)


async def measured(runs: int, slices: int, home: Path) -> tuple[float, float, list[Send]]:
    """Medians of the microseconds of CPU for a run, and of the same as a multiple of the calibration, see
    bench/README.md; and what is sent for `runs` of them."""
    definitions, codec = job.definitions(), SingleObjectCodec()
    posted, found, told = orders(batch_name("hops")), list[tuple[float, float]](), list[Send]()
    async with (
        door.opened(definitions, codec, runs) as ingress,
        Worker(definitions, codec, home).running() as worker,
        asyncio.timeout(_HUNG_S),
    ):
        for number in range(_WARM_UP + slices):
            if number == _WARM_UP:
                collect_rarely()
            events = await _accepted(ingress, islice(posted, runs))
            unit_s = calibrated(runs // 2) / (runs // 2)
            cpu_s, told = await timed(worker.take(events))
            if number >= _WARM_UP:
                found.append((cpu_s / runs * 1e6, cpu_s / runs / unit_s))
    return statistics.median(us for us, _ in found), statistics.median(ratio for _, ratio in found), told


def main() -> int:
    """0; 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m bench.hops", description=__doc__)
    parser.add_argument("--runs", type=int, default=24, help="that are on their way at a time")
    parser.add_argument("--slices", type=int, default=100, help="how often so many")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopline-hops-") as home:
        us, ratio, told = uvloop.run(measured(arguments.runs, arguments.slices, Path(home)))
    print(f"{us:,.0f} µs CPU for a run, {ratio:.2f} times the calibration\n")
    print(report.markdown(["topic", "messages a run", "bytes a run"], _rows(told, arguments.runs)))
    return 0


async def _accepted(ingress: Door, posted: Iterable[Order]) -> list[Send]:
    return await ingress.take([job.ENDPOINT.request(one.order_id, one.body) for one in posted])


def _rows(told: Sequence[Send], runs: int) -> list[Sequence[str]]:
    messages: Counter[str] = Counter(send.topic for send in told)
    size: Mapping[str, int] = {
        topic: sum(len(send.key or b"") + len(send.value or b"") for send in told if send.topic == topic)
        for topic in messages
    }
    return [
        (topic, f"{count / runs:g}", f"{size[topic] / runs:,.0f}") for topic, count in messages.most_common()
    ]


if __name__ == "__main__":
    sys.exit(main())
