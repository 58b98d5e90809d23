"""How a worker is, for its port: what it stands on, and what it holds."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from streams.shell.worker import Worker
from transport.feed import DefinitionsFeed
from transport.lag import LagMeter
from transport.producer import Producer
from transport.settings import KafkaSettings
from transport.status import DEGRADED, HEALTHY, UNHEALTHY, Component, Status


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

    def __init__(self, worker: Worker, producer: Producer, registry: CollectorRegistry) -> None:
        self._worker = worker
        self._producer = producer
        registry.register(self)

    def collect(self) -> list[GaugeMetricFamily]:
        """For Prometheus, from any thread."""
        records = GaugeMetricFamily(
            "hopline_stage_waiting_records", "Records read ahead for a stage.", labels=("stage",)
        )
        size = GaugeMetricFamily("hopline_stage_waiting_bytes", "Their size.", labels=("stage",))
        for stage, (waiting, waiting_bytes) in self._worker.waiting().items():
            records.add_metric((stage,), waiting)
            size.add_metric((stage,), waiting_bytes)
        running = GaugeMetricFamily("hopline_tasks_running", "Tasks under way.", self._worker.running())
        queued = GaugeMetricFamily(
            "hopline_producer_queued", "Messages not yet acknowledged by the broker.", self._producer.queued
        )
        return [records, size, running, queued]


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
