"""The weeks of the generated history, and how its events are spread over them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

BEGIN: Final = date(2026, 9, 14)
"""A Monday."""
END: Final = date(2026, 11, 9)
"""A Monday: the history is what is known when it begins. All questions are asked then."""
RELEASE: Final = datetime(2026, 10, 28, 13, 30, tzinfo=UTC)
"""Every workflow gets its second version."""
OUTAGE: Final = datetime(2026, 11, 4, 14, tzinfo=UTC)
"""For two hours, many calls of models fail."""

_FEW = 200_000
_IDLE_PERCENT = 6
_RUNS_PER_LETTER = 250
_WEEKEND_PERCENT = 45
_GROWTH = 1.02
"""From week to week."""
_OF_HOUR = (2, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 8, 9, 10, 9, 8, 6, 5, 4, 4, 3, 3, 2)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some days, written together.

    They have `count` runs, which is even, from the number `first` on, and `idle_count` events that start
    none, from `idle_first` on.
    """

    begin: date
    days: int
    first: int
    count: int
    idle_first: int
    idle_count: int
    letters: int

    @property
    def since_us(self) -> int:
        """The midnight that it begins with."""
        return microseconds(datetime.combine(self.begin, time(), UTC))

    @property
    def until_us(self) -> int:
        """The midnight that it ends with."""
        return self.since_us + self.days * 86_400_000_000

    def days_by_share(self) -> list[int]:
        """The numbers of its days, from 0, each as often as its share of the events is."""
        return [n for n in range(self.days) for _ in range(_percent(self.begin + timedelta(days=n)))]


def chunks(runs: int) -> Iterator[Chunk]:
    """The whole history. `runs` is even, and their number in all.

    Few runs are of the last two weeks only, and written a week at a time.
    """
    begin, days = (BEGIN, 1) if runs > _FEW else (END - timedelta(days=14), 7)
    begins = [begin + timedelta(days=n) for n in range(0, (END - begin).days, days)]
    weights = [_weight(begin, days) for begin in begins]
    total, until, first, idle = sum(weights), 0.0, 0, runs
    for begin, weight in zip(begins, weights, strict=True):
        until += weight
        last = round(runs * until / total / 2) * 2
        idle_count = (last - first) * _IDLE_PERCENT // 100
        yield Chunk(
            begin, days, first, last - first, idle, idle_count, -(-(last - first) // _RUNS_PER_LETTER)
        )
        first, idle = last, idle + idle_count


def _weight(begin: date, days: int) -> float:
    return sum(
        _GROWTH ** ((day - BEGIN).days // 7) * _percent(day)
        for day in (begin + timedelta(days=n) for n in range(days))
    )


def _percent(day: date) -> int:
    return _WEEKEND_PERCENT if day.weekday() >= 5 else 100


def hours() -> list[int]:
    """Hours of a day, each as often as its share of the events is."""
    return [hour for hour, weight in enumerate(_OF_HOUR) for _ in range(weight)]


def microseconds(moment: datetime) -> int:
    """Since 1970."""
    return round(moment.timestamp()) * 1_000_000
