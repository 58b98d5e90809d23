"""The bytes of a schedule in the table `schedules`: when it wants attention, what it is, where it stands."""

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.models import AppTrigger, AppTriggerStatus
from schemas.triggers.schedule import ScheduleConfig, jitter_us

_HEAD = struct.Struct(">d")
_NEVER = float("inf")


class Backfill(NamedTuple):
    """A range of times in the past that is being fired."""

    id: str
    after_us: int
    """The last time that was fired."""
    end_us: int
    asked_us: int
    """When it was asked for: the received_at of its events."""


@dataclass(slots=True)
class ScheduleRow:
    """One schedule. Times in microseconds since the epoch."""

    trigger: AppTrigger
    next_us: int | None
    """The next time by its configuration; None when there is no more."""
    running: list[str] = field(default_factory=list)
    """Runs that have been started and have not ended; empty where overlaps are allowed."""
    held_us: int | None = None
    """A time that fires as soon as nothing is running."""
    backfills: list[Backfill] = field(default_factory=list)
    over: list[str] = field(default_factory=list)
    """Runs that have ended before this row said that they are running: another worker had started them, and
    died before its row was written."""

    @property
    def config(self) -> ScheduleConfig:
        """Of the trigger."""
        return ScheduleConfig.model_validate(self.trigger.config)

    def due_us(self) -> float:
        """When it wants attention: 0 is at once."""
        if not _is_active(self.trigger):
            return _NEVER
        if self.backfills:
            return 0
        return _NEVER if self.next_us is None else self.next_us + jitter_us(self.trigger.id, self.config)

    def encode(self) -> bytes:
        """The time first, so that it is read without the rest."""
        body: dict[str, Any] = {
            "trigger": self.trigger.model_dump(mode="json"),
            "next_us": self.next_us,
            "running": self.running,
            "held_us": self.held_us,
            "backfills": [tuple(one) for one in self.backfills],
            "over": self.over,
        }
        return _HEAD.pack(self.due_us()) + orjson.dumps(body)

    @classmethod
    def decode(cls, row: bytes) -> "ScheduleRow":
        """The inverse of `encode`."""
        body = orjson.loads(row[_HEAD.size :])
        return cls(
            trigger=AppTrigger.model_validate(body["trigger"]),
            next_us=body["next_us"],
            running=body["running"],
            held_us=body["held_us"],
            backfills=[Backfill(*one) for one in body["backfills"]],
            over=body.get("over", []),  # Rows of earlier releases have none.
        )


def row_due(_key: str, row: bytes) -> float | None:
    """Unix seconds; None for one that waits for nothing."""
    due_us: float = _HEAD.unpack_from(row)[0]
    return None if due_us == _NEVER else due_us / 1e6


def _is_active(trigger: AppTrigger) -> bool:
    return trigger.status is AppTriggerStatus.ACTIVE and bool(trigger.config.get("enabled", True))
