"""How a worker is, for its port: what it stands on, and what it holds."""

import asyncio
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.shell.rows import RowsSize
from streams.shell.worker import Worker
from transport.feed import DefinitionsFeed
from transport.lag import LagMeter
from transport.producer import Producer
from transport.settings import KafkaSettings
from transport.status import DEGRADED, HEALTHY, UNHEALTHY, Component, Status

_LOOK_S = 10.0


def worker_status(worker: Worker, feed: DefinitionsFeed) -> Status:
    """Ready: a member of the group whose partitions are recovered and being read. None may be left for it."""

    def components() -> dict[str, Component]:
        return {"partitions": _partitions(worker), "definitions": _definitions(feed)}

    return Status("hopline-worker", components)


def worker_lag(
    kafka: KafkaSettings, group: str, worker: Worker, registry: CollectorRegistry
) -> Callable[[], LagMeter]:
    """Makes the meter of its source partitions."""
    return lambda: LagMeter(kafka, group, lambda: worker.assigned, registry)


class Held(Collector):
    """What a worker holds in its memory at the moment of a scrape: all of it is bounded."""

    def __init__(
        self, worker: Worker, producer: Producer, registry: CollectorRegistry, most_tasks: int
    ) -> None:
        """`most_tasks`: how many may be under way at the same time."""
        self._worker = worker
        self._producer = producer
        self._most_tasks = most_tasks
        registry.register(self)

    def collect(self) -> list[Metric]:
        """For Prometheus, from any thread."""
        records = GaugeMetricFamily(
            "hopline_stage_waiting_records", "Records read ahead for a stage.", labels=("stage",)
        )
        size = GaugeMetricFamily("hopline_stage_waiting_bytes", "Their size.", labels=("stage",))
        for stage, (waiting, waiting_bytes) in self._worker.waiting().items():
            records.add_metric((stage,), waiting)
            size.add_metric((stage,), waiting_bytes)
        running = GaugeMetricFamily("hopline_tasks_running", "Tasks under way.", self._worker.running())
        most = GaugeMetricFamily("hopline_tasks_limit", "As many may be under way.", self._most_tasks)
        queued = GaugeMetricFamily(
            "hopline_producer_queued", "Messages not yet acknowledged by the broker.", self._producer.queued
        )
        return [records, size, running, most, queued, *self._recovery()]

    def _recovery(self) -> list[Metric]:
        read, left = self._worker.recovery()
        return [
            GaugeMetricFamily(
                "hopline_worker_ready", "1 while its partitions are read.", int(self._worker.ready.is_set())
            ),
            CounterMetricFamily(
                "hopline_recovery_rows", "Rows of changelogs that were read to recover tables.", read
            ),
            GaugeMetricFamily(
                "hopline_recovery_remaining_rows", "Offsets of changelogs to be read until it is ready.", left
            ),
        ]


class Tables(Collector):
    """What the tables of a worker hold. Looked at now and then by the thread that they belong to, which may
    not be the one of a scrape."""

    def __init__(self, worker: Worker, registry: CollectorRegistry) -> None:
        self._worker = worker
        self._sizes: Mapping[str, RowsSize] = {}
        self._overdue_s: Mapping[str, float] = {}
        registry.register(self)

    async def measure(self) -> None:
        """Looks each 10 s, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_S)

    def look(self) -> None:
        """On the loop's thread: 2 µs for each partition of a table."""
        self._sizes, self._overdue_s = self._worker.sizes(), self._worker.overdue_s()

    def collect(self) -> list[Metric]:
        """For Prometheus, from any thread."""
        rows = GaugeMetricFamily("hopline_table_rows", "Rows of a table here, about.", labels=("table",))
        size = GaugeMetricFamily("hopline_table_bytes", "Their size.", labels=("table",))
        for table, taken in self._sizes.items():
            rows.add_metric((table,), taken.rows)
            size.add_metric((table,), taken.size_bytes)
        overdue = GaugeMetricFamily(
            "hopline_due_overdue_seconds",
            "How long the earliest row has been due that is not served yet, 0 where none is.",
            labels=("stage",),
        )
        for stage, seconds in self._overdue_s.items():
            overdue.add_metric((stage,), seconds)
        return [rows, size, overdue]


def _partitions(worker: Worker) -> Component:
    if not worker.ready.is_set():
        return Component(UNHEALTHY, "waits for partitions, or reads back what it keeps for them")
    if not worker.is_member:
        return Component(UNHEALTHY, "the broker has not been heard of lately: see HOPLINE_KAFKA")
    return Component(HEALTHY, f"{len(worker.assigned)} partitions are being read")


def _definitions(feed: DefinitionsFeed) -> Component:
    known = feed.definitions
    counts = f"{len(known.latest)} published workflows, {len(known.triggers)} triggers"
    if feed.unreadable:
        return Component(DEGRADED, f"{counts}, {len(feed.unreadable)} that this release cannot read")
    return Component(HEALTHY, counts)
