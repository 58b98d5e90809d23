"""What the shell tells about itself; whoever counts implements `ShellMetrics`."""

from typing import Protocol


class ShellMetrics(Protocol):
    """Called on the event loop, often; must not block."""

    def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None:
        """A turn of an ordered stage is confirmed; `seconds` from its first decision, `delay_s` from when its
        first record was written to the topic."""

    def task(self, stage: str, seconds: float) -> None:
        """A task is confirmed."""

    def waited(self, topic: str, delay_s: float) -> None:
        """Tasks of a topic begin, the first of which was written that long ago."""

    def dead_letter(self, stage: str, reason: str) -> None:
        """A record or a due row went to the dead letters; `reason` is the name of the exception."""

    def due(self, stage: str, rows: int, late_s: float) -> None:
        """Rows were served because their time had come, the earliest of them that long ago."""

    def ready(self, partitions: int, seconds: float) -> None:
        """An assignment is recovered and being read; `seconds` since it was received."""


class NoMetrics:
    """Counts nothing."""

    def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None:
        """Ignored."""

    def task(self, stage: str, seconds: float) -> None:
        """Ignored."""

    def waited(self, topic: str, delay_s: float) -> None:
        """Ignored."""

    def dead_letter(self, stage: str, reason: str) -> None:
        """Ignored."""

    def due(self, stage: str, rows: int, late_s: float) -> None:
        """Ignored."""

    def ready(self, partitions: int, seconds: float) -> None:
        """Ignored."""
