"""What the door counts. Every name in one place, with its unit."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from transport.metrics import Children, LoopDelay, Tally, describe_process

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

_YES_NO = ("no", "yes")


class Metrics:
    """One registry for one process; not prometheus_client's global one, so that two can live side by side."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        describe_process(self.registry, "ingress")
        self.loop_delay = LoopDelay(self.registry)
        self._accepted = Tally(
            "hopline_ingress_events",
            "Events acknowledged by the broker, by trigger type; duplicate is yes for a known one.",
            ("trigger_type", "duplicate"),
            self.registry,
        )
        self.refused = Counter(
            "hopline_ingress_refusals",
            "Requests to event endpoints that were not accepted, by HTTP status.",
            ("status",),
            registry=self.registry,
        )
        self.overload_refused = Counter(
            "hopline_ingress_overload_refusals",
            "Those of them with 503 because this process is too far behind.",
            registry=self.registry,
        )
        self.accept_seconds = Histogram(
            "hopline_ingress_accept_seconds",
            "From handing an event to the producer until the broker acknowledged it, in seconds.",
            buckets=_SECONDS,
            registry=self.registry,
        )

        self.dead_letters = Counter(
            "hopline_dead_letters",
            "Records given up on, by the stage that did and the class of the reason.",
            ("stage", "reason"),
            registry=self.registry,
        )
        self._answers = Children(
            Counter(
                "hopline_api_requests",
                "Requests to the API that were answered, by the tag of the operation and HTTP status.",
                ("tag", "status"),
                registry=self.registry,
            )
        )
        self._answer_seconds = Children(
            Histogram(
                "hopline_api_seconds",
                "From a request to the API to its answer, by the tag of the operation; streams are left out.",
                ("tag",),
                buckets=_SECONDS,
                registry=self.registry,
            )
        )

    def count_accepted(self, trigger_type: str, duplicate: bool) -> None:
        """One more event."""
        self._accepted.add(trigger_type, _YES_NO[duplicate])

    def answered(self, tag: str, status: int, seconds: float | None) -> None:
        """A request to the API is over; None for one whose time says nothing."""
        self._answers[tag, str(status)].inc()
        if seconds is not None:
            self._answer_seconds[tag].observe(seconds)

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """A gauge `hopline_ingress_<name>` whose value is asked for at each scrape."""
        gauge = Gauge(f"hopline_ingress_{name}", documentation, registry=self.registry)
        gauge.set_function(read)

    def counts(
        self, name: str, documentation: str, label: str, read: Callable[[], Mapping[str, int]]
    ) -> None:
        """Gauges `hopline_ingress_<name>`, one for each value of the label, asked for likewise."""
        self.registry.register(_Counts(f"hopline_ingress_{name}", documentation, label, read))

    def limit(self, name: str, documentation: str, value: float) -> None:
        """A gauge `hopline_ingress_<name>` of what has been set."""
        Gauge(f"hopline_ingress_{name}", documentation, registry=self.registry).set(value)


@dataclass(frozen=True)
class _Counts(Collector):
    name: str
    documentation: str
    label: str
    read: Callable[[], Mapping[str, int]]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.documentation, labels=(self.label,))
        for value, count in self.read().items():
            family.add_metric((value,), count)
        yield family
