"""What the sink counts. Every name in one place, with its unit."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sinks.batch import Batch
from transport.metrics import DELAY_BUCKETS_S, Children

_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class SinkMetrics:
    """On a registry that the composition root serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Children(
            Counter(
                "hopline_sink_rows",
                "Rows written, repetitions included, by table.",
                ("table",),
                registry=registry,
            )
        )
        self._insert_seconds = Children(
            Histogram(
                "hopline_sink_insert_seconds",
                "One insert, by table, in seconds.",
                ("table",),
                buckets=_SECONDS,
                registry=registry,
            )
        )
        self._delay_seconds = Children(
            Histogram(
                "hopline_sink_delay_seconds",
                "From when the first record of an insert was written to its topic until it can be queried.",
                ("table",),
                buckets=DELAY_BUCKETS_S,
                registry=registry,
            )
        )
        self.batch_seconds = Histogram(
            "hopline_sink_batch_seconds",
            "From the start of a batch's first insert to the end of its last, in seconds.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.retries = Counter(
            "hopline_sink_retries", "Attempts at a batch that failed and were repeated.", registry=registry
        )
        self.dead_letters = Counter(
            "hopline_dead_letters",
            "Records given up on, by the stage that did and the class of the reason.",
            ("stage", "reason"),
            registry=registry,
        )
        self.held = Gauge(
            "hopline_sink_held_records",
            "Records that are read and not yet written: fresh, or stalled since their table takes none.",
            ("state",),
            registry=registry,
        )
        self.held_bytes = Gauge(
            "hopline_sink_held_bytes", "Their size, likewise.", ("state",), registry=registry
        )
        self.spans = Counter(
            "hopline_sink_spans",
            "Spans by what became of them: exported, or dropped since nobody took them by OTLP in time.",
            ("outcome",),
            registry=registry,
        )
        self.rollup_seconds = Histogram(
            "hopline_sink_rollup_seconds",
            "One refresh of the rollups, by the sink that does it, in seconds.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.rollup_failures = Counter(
            "hopline_sink_rollup_failures",
            "Refreshes of the rollups that failed and were repeated.",
            registry=registry,
        )

    def wrote(self, table: str, rows: int, seconds: float, delay_s: float) -> None:
        """An insert is done; `delay_s` from when its first record was written to Kafka."""
        self._rows[table].inc(rows)
        self._insert_seconds[table].observe(seconds)
        self._delay_seconds[table].observe(delay_s)

    def told_spans(self, outcome: str, count: int) -> None:
        """By any thread."""
        self.spans.labels(outcome).inc(count)

    def watch(self, state: str, batches: Sequence[Batch]) -> None:
        """Shows what is in the batches whenever it is asked for."""
        self.held.labels(state).set_function(lambda: sum(batch.rows for batch in batches))
        self.held_bytes.labels(state).set_function(lambda: sum(batch.bytes for batch in batches))
