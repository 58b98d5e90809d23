"""Rows in the order in which they want attention."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

DueOf = Callable[[str, bytes], float | None]

_SLACK = 1024
"""Outdated entries that are tolerated before a heap is rebuilt from the rows."""


class Due(NamedTuple):
    """A row wants attention, or wanted it once: the row itself says which."""

    at: float
    """Unix seconds, never before 1970."""
    key: str


class DueQueue(Protocol):
    """The due times of one partition's rows.

    A row that changes is entered again and its old entry stays until it surfaces, when the caller sees that
    it is outdated; so entering is cheap and nothing is ever searched.
    """

    @property
    def next(self) -> float | None:
        """When the earliest entry is due; it may be outdated."""

    def pop(self, now: float, limit: int) -> list[Due]:
        """At most `limit` entries whose time has come, the earliest first."""

    def push(self, due: Due) -> None:
        """An entry that was popped, or is to be looked at again. A restart forgets it, and finds the row
        under the due time that it says itself."""

    def settle(self, entries: Iterable[Due]) -> None:
        """Rows are not due any more at these times, at which they were popped."""


class DueHeap:
    """A queue in memory, made of the rows."""

    def __init__(self, due_of: DueOf) -> None:
        self._due_of = due_of
        self._heap: list[Due] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, due: Due) -> None:
        heapq.heappush(self._heap, due)

    @property
    def next(self) -> float | None:
        return self._heap[0].at if self._heap else None

    def pop(self, now: float, limit: int) -> list[Due]:
        entries: list[Due] = []
        while self._heap and self._heap[0].at <= now and len(entries) < limit:
            entries.append(heapq.heappop(self._heap))
        return entries

    def settle(self, entries: Iterable[Due]) -> None:
        """They are gone already."""

    def enter(self, entries: Iterable[Due], rows: Mapping[str, bytes]) -> None:
        """Those of rows that were written. `rows` are all that there are."""
        for due in entries:
            heapq.heappush(self._heap, due)
        if len(self._heap) > 2 * len(rows) + _SLACK:
            self.rebuild(rows)

    def rebuild(self, rows: Mapping[str, bytes]) -> None:
        """Exactly one entry for each row that has a due time."""
        dues = ((self._due_of(key, value), key) for key, value in rows.items())
        self._heap = [Due(at, key) for at, key in dues if at is not None]
        heapq.heapify(self._heap)
