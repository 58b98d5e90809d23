"""What a worker counts, each name in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streams.engine.state import FAILED, PARTIAL_SUCCEEDED, STOPPED, SUCCEEDED
from transport.metrics import DELAY_BUCKETS_S, Children, Tally

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ENDS = (SUCCEEDED, PARTIAL_SUCCEEDED, FAILED, STOPPED)
_TASK_SECONDS = (*_SECONDS, 300.0, 1200.0)


class StageMetrics:
    """Implements `streams.shell.metrics.ShellMetrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._records = Children(
            Counter(
                "hopline_stage_records", "Records that a stage has acknowledged.", ["stage"],
                registry=registry,
            )
        )  # fmt: skip
        self._batch_seconds = Children(
            Histogram(
                "hopline_stage_batch_seconds", "From a batch's first decision to its acknowledgement.",
                ["stage"], buckets=_SECONDS, registry=registry,
            )
        )  # fmt: skip
        self._delay_seconds = Children(
            Histogram(
                "hopline_stage_delay_seconds",
                "From when the first record of a batch was written to the topic to its acknowledgement.",
                ["stage"], buckets=DELAY_BUCKETS_S, registry=registry,
            )
        )  # fmt: skip
        self._task_seconds = Children(
            Histogram(
                "hopline_task_seconds", "From a node task's start to its confirmed result.",
                ["stage"], buckets=_TASK_SECONDS, registry=registry,
            )
        )  # fmt: skip
        self._wait_seconds = Children(
            Histogram(
                "hopline_task_wait_seconds",
                "From when the first task of those that begin together was written to the topic.",
                ["topic"], buckets=DELAY_BUCKETS_S, registry=registry,
            )
        )  # fmt: skip
        self._dead_letters = Counter(
            "hopline_dead_letters", "Records given up on.", ["stage", "reason"], registry=registry
        )
        self._due = Children(
            Counter(
                "hopline_due_rows", "Rows served because their time had come.", ["stage"], registry=registry
            )
        )
        self._due_late_seconds = Children(
            Histogram(
                "hopline_due_late_seconds",
                "How late the earliest of the rows was that are served together.",
                ["stage"], buckets=DELAY_BUCKETS_S, registry=registry,
            )
        )  # fmt: skip
        self._assignments = Counter(
            "hopline_assignments", "Assignments that were recovered and are read.", registry=registry
        )
        self._partitions = Gauge(
            "hopline_assigned_partitions", "Source partitions of this worker.", registry=registry
        )
        self._recovery_seconds = Gauge(
            "hopline_recovery_seconds", "How long the last assignment took to recover.", registry=registry
        )

    def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None:
        """See `ShellMetrics`."""
        self._records[stage].inc(records)
        self._batch_seconds[stage].observe(seconds)
        self._delay_seconds[stage].observe(delay_s)

    def task(self, stage: str, seconds: float) -> None:
        """See `ShellMetrics`."""
        self._records[stage].inc()
        self._task_seconds[stage].observe(seconds)

    def waited(self, topic: str, delay_s: float) -> None:
        """See `ShellMetrics`."""
        self._wait_seconds[topic].observe(delay_s)

    def dead_letter(self, stage: str, reason: str) -> None:
        """See `ShellMetrics`."""
        self._dead_letters.labels(stage, reason).inc()

    def due(self, stage: str, rows: int, late_s: float) -> None:
        """See `ShellMetrics`."""
        self._due[stage].inc(rows)
        self._due_late_seconds[stage].observe(late_s)

    def ready(self, partitions: int, seconds: float) -> None:
        """See `ShellMetrics`."""
        self._assignments.inc()
        self._partitions.set(partitions)
        self._recovery_seconds.set(seconds)


class ScheduleMetrics:
    """What becomes of the times of schedules."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._firings = Tally(
            "hopline_schedule_firings",
            "Times of schedules by what became of them: fired, missed or overlapped.",
            ("outcome",),
            registry,
            known=("fired", "missed", "overlapped"),
        )
        self._late_seconds = Histogram(
            "hopline_schedule_late_seconds",
            "How long after its time, jitter included, a schedule has fired.",
            buckets=DELAY_BUCKETS_S,
            registry=registry,
        )

    def firing(self, outcome: str) -> None:
        """A time has fired, was missed, or was left out since the run before went on."""
        self._firings.add(outcome)

    def late(self, late_s: float) -> None:
        """A schedule has just fired, whose earliest time was that long ago."""
        self._late_seconds.observe(late_s)


class WorkerMetrics:
    """All that the stages of a worker count."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.shell = StageMetrics(registry)
        self.schedules = ScheduleMetrics(registry)
        self._events = Tally(
            "hopline_events", "Trigger events by outcome: routed or duplicate.", ("outcome",), registry
        )
        self._commands = Tally(
            "hopline_commands",
            "Run commands by kind and outcome: applied or stale.",
            ("kind", "outcome"),
            registry,
        )
        self._runs = Tally(
            "hopline_runs", "Runs that have ended, by status.", ("status",), registry, known=_ENDS
        )
        self._unwanted = Tally(
            "hopline_unwanted_tasks",
            "Node tasks that were given no result, for which nobody waits: interrupted, skipped or repeated.",
            ("outcome",),
            registry,
        )

    def event(self, outcome: str) -> None:
        """An event was routed, or was a duplicate."""
        self._events.add(outcome)

    def command(self, kind: str, outcome: str) -> None:
        """A command was applied, or was stale and changed nothing."""
        self._commands.add(kind, outcome)

    def run_ended(self, status: str) -> None:
        """A run has come to its end."""
        self._runs.add(status)

    def unwanted(self, outcome: str) -> None:
        """A task was interrupted, skipped because it was over before it began, or under way already."""
        self._unwanted.add(outcome)


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
