"""What the sink counts. Every name in one place, with its unit."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class SinkMetrics:
    """On a registry that the composition root serves."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Counter(
            "hopline_sink_rows",
            "Rows written, repetitions included, by table.",
            ("table",),
            registry=registry,
        )
        self.insert_seconds = Histogram(
            "hopline_sink_insert_seconds",
            "One insert, by table, in seconds.",
            ("table",),
            buckets=_SECONDS,
            registry=registry,
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
        self.lag = Gauge(
            "hopline_sink_lag_records", "Records of the assigned partitions not read yet.", registry=registry
        )
