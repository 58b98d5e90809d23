"""What is done, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.timers.ends import Lateness
from bench.timers.starts import Start


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of what."""

    runs: int
    """That wait all the time."""
    job_s: float
    """Of the job at full load, each time."""
    burst: int
    """Runs due at the same moment."""
    per_s: int
    """Runs due in each second of the two phases in which they are due evenly."""
    even_s: int
    """How long these are. In the second one the worker is killed."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the job of four nodes at full load."""

    runs_per_s: float
    cpu_ms: float
    """Of a run, in all processes."""
    worker_cpu_ms: float
    worker_mb: float
    """PSS of the worker afterwards."""

    def __str__(self) -> str:
        return (
            f"{self.runs_per_s:,.0f} runs/s, {self.cpu_ms:.2f} ms of CPU per run, of which "
            f"{self.worker_cpu_ms:.2f} ms the worker's; {self.worker_mb:,.0f} MB"
        )


@dataclass(slots=True)
class Figures:
    """What came of it."""

    without: Cost | None = None
    loaded: Cost | None = None
    starts: Mapping[str, Start] = field(default_factory=dict)
    """By how the worker was started."""
    late: dict[str, Lateness] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Everything that was due happened once."""
        return all(lateness.clean for lateness in self.late.values())
