"""What a worker counts, each name in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class WorkerMetrics:
    """Implements `streams.shell.metrics.ShellMetrics`, and counts what the stages decide."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._records = Counter(
            "hopline_stage_records", "Records that a stage has acknowledged.", ["stage"], registry=registry
        )
        self._batch_seconds = Histogram(
            "hopline_stage_batch_seconds", "From a batch's first decision to its acknowledgement.",
            ["stage"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._task_seconds = Histogram(
            "hopline_task_seconds", "From a node task's start to its confirmed result.",
            ["stage"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._dead_letters = Counter(
            "hopline_dead_letters", "Records given up on.", ["stage", "reason"], registry=registry
        )
        self._due = Counter(
            "hopline_due_rows", "Rows served because their time had come.", ["stage"], registry=registry
        )
        self._partitions = Gauge(
            "hopline_assigned_partitions", "Source partitions of this worker.", registry=registry
        )
        self._recovery_seconds = Gauge(
            "hopline_recovery_seconds", "How long the last assignment took to recover.", registry=registry
        )
        self._events = Counter(
            "hopline_events",
            "Trigger events by outcome: routed or duplicate.",
            ["outcome"],
            registry=registry,
        )
        self._commands = Counter(
            "hopline_commands", "Run commands by kind and outcome: applied or stale.", ["kind", "outcome"],
            registry=registry,
        )  # fmt: skip

        self._unwanted = Counter(
            "hopline_unwanted_tasks",
            "Node tasks that were given no result, for which nobody waits: interrupted, skipped or repeated.",
            ["outcome"],
            registry=registry,
        )

    def batch(self, stage: str, records: int, seconds: float) -> None:
        """See `ShellMetrics`."""
        self._records.labels(stage).inc(records)
        self._batch_seconds.labels(stage).observe(seconds)

    def task(self, stage: str, seconds: float) -> None:
        """See `ShellMetrics`."""
        self._records.labels(stage).inc()
        self._task_seconds.labels(stage).observe(seconds)

    def dead_letter(self, stage: str, reason: str) -> None:
        """See `ShellMetrics`."""
        self._dead_letters.labels(stage, reason).inc()

    def due(self, stage: str, rows: int) -> None:
        """See `ShellMetrics`."""
        self._due.labels(stage).inc(rows)

    def ready(self, partitions: int, seconds: float) -> None:
        """See `ShellMetrics`."""
        self._partitions.set(partitions)
        self._recovery_seconds.set(seconds)

    def event(self, outcome: str) -> None:
        """An event was routed, or was a duplicate."""
        self._events.labels(outcome).inc()

    def unwanted(self, outcome: str) -> None:
        """A task was interrupted, skipped because it was over before it began, or under way already."""
        self._unwanted.labels(outcome).inc()

    def command(self, kind: str, outcome: str) -> None:
        """A command was applied, or was stale and changed nothing."""
        self._commands.labels(kind, outcome).inc()


class SourceMetrics:
    """What the watchers of sources count."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._watched = Gauge(
            "hopline_sources_watched", "Sources that this worker watches.", registry=registry
        )
        self._events = Counter(
            "hopline_source_events", "Events that watchers have published.", ["type"], registry=registry
        )
        self._failures = Counter(
            "hopline_source_failures", "Times that a watcher had to begin again.", ["type"], registry=registry
        )

    def watched(self, sources: int) -> None:
        """That many at the moment."""
        self._watched.set(sources)

    def seen(self, kind: str, events: int) -> None:
        """They are published."""
        self._events.labels(kind).inc(events)

    def failed(self, kind: str) -> None:
        """A watcher could not go on."""
        self._failures.labels(kind).inc()
