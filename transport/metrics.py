"""What all roles have in common when they count: cheap counters, and what every process says of itself."""

import asyncio
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Any, Generic, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Metric,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

_M = TypeVar("_M", Counter, Gauge, Histogram)

DELAY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""For what waits in a queue: from a batch's own time to a backlog of half an hour."""

_LOOP_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LOOP_EVERY_S = 0.1


class Children(dict[Any, _M], Generic[_M]):
    """The children of a metric by the values of its labels, a text or a tuple of them.

    Looking a child up among the metric's own, under a lock and by new tuples, takes longer than counting.
    """

    def __init__(self, metric: _M) -> None:
        super().__init__()
        self._metric: _M = metric

    def __missing__(self, labels: str | tuple[str, ...]) -> _M:
        child: _M = self._metric.labels(*((labels,) if isinstance(labels, str) else labels))
        self[labels] = child
        return child


class Tally(Collector):
    """A counter of what happens for each event: a dictionary that becomes a metric when it is asked for.

    Counting takes a tenth of what a `Counter` with labels takes. Counted on one thread, shown on any.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...],
        registry: CollectorRegistry,
        *,
        known: Iterable[str] = (),
    ) -> None:
        """`known`: values of a single label that are shown from the start. A series that begins with its
        first count looks to Prometheus as if nothing had been counted."""
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: defaultdict[tuple[str, ...], int] = defaultdict(int, {(value,): 0 for value in known})
        registry.register(self)

    def add(self, *labels: str) -> None:
        """One more."""
        self._counts[labels] += 1

    def collect(self) -> Iterable[Metric]:
        """For Prometheus, from any thread."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in list(self._counts.items()):
            family.add_metric(labels, count)
        yield family


class LoopDelay:
    """`hopline_event_loop_delay_seconds`: how long what is ready waits for its turn."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "hopline_event_loop_delay_seconds",
            "How late the event loop wakes up what has slept, ten times a second.",
            buckets=_LOOP_BUCKETS_S,
            registry=registry,
        )

    async def measure(self, told: Callable[[float], None] = lambda late_s: None) -> None:
        """Until cancelled. `told` is called each time, with the seconds."""
        while True:
            # Not the clock of the loop: that of uvloop stands still while the loop is busy.
            wanted = time.perf_counter() + _LOOP_EVERY_S
            await asyncio.sleep(_LOOP_EVERY_S)
            late_s = max(0.0, time.perf_counter() - wanted)
            self._seconds.observe(late_s)
            told(late_s)


def describe_process(registry: CollectorRegistry, role: str) -> None:
    """Adds `hopline_build_info`, `process_*` and `python_gc_*`. Called once in a process."""
    # One more series for each of a counter: when it began, which Prometheus takes from another format only.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    build = Info("hopline_build", "Which release this is. Always 1.", registry=registry)
    build.info({"version": version("hopline"), "python_version": platform.python_version(), "role": role})
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
