"""What the door counts. Every name in one place, with its unit."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

_YES_NO = ("no", "yes")


class Metrics:
    """One registry for one process; not prometheus_client's global one, so that two can live side by side."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.accepted = Counter(
            "hopline_ingress_events",
            "Events acknowledged by the broker, by trigger type; duplicate is yes for a known one.",
            ("trigger_type", "duplicate"),
            registry=self.registry,
        )
        self.refused = Counter(
            "hopline_ingress_refusals",
            "Requests to event endpoints that were not accepted, by HTTP status.",
            ("status",),
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
        self._accepted_children: dict[tuple[str, bool], Counter] = {}

    def count_accepted(self, trigger_type: str, duplicate: bool) -> None:
        """One more event. Looking a label up takes longer than counting, so that it is done once."""
        key = trigger_type, duplicate
        child = self._accepted_children.get(key)
        if child is None:
            child = self._accepted_children[key] = self.accepted.labels(trigger_type, _YES_NO[duplicate])
        child.inc()

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """A gauge `hopline_ingress_<name>` whose value is asked for at each scrape."""
        gauge = Gauge(f"hopline_ingress_{name}", documentation, registry=self.registry)
        gauge.set_function(read)
