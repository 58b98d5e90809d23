"""Rows in the order in which they want attention."""

import heapq
from collections.abc import Callable, Iterator

DueOf = Callable[[str, bytes], float | None]

_SLACK = 1024
"""Outdated entries that are tolerated before a heap is rebuilt from the rows."""


class DueHeap:
    """The due times of one partition's rows.

    A row that changes is pushed again and its old entry stays until it surfaces, when the caller sees
    that it is outdated; so pushing is cheap and nothing is ever searched.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, due: float, key: str) -> None:
        """`key` wants attention at `due`, unix seconds."""
        heapq.heappush(self._heap, (due, key))

    @property
    def next(self) -> float | None:
        """When the earliest entry is due; it may be outdated."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float, limit: int) -> list[str]:
        """At most `limit` keys whose time has come, earliest first."""
        keys: list[str] = []
        while self._heap and self._heap[0][0] <= now and len(keys) < limit:
            keys.append(heapq.heappop(self._heap)[1])
        return keys

    def bloated(self, rows: int) -> bool:
        """Whether outdated entries outweigh the rows."""
        return len(self._heap) > 2 * rows + _SLACK

    def rebuild(self, rows: Iterator[tuple[str, bytes]], due: DueOf) -> None:
        """Exactly one entry for each row that has a due time."""
        entries = ((due(key, value), key) for key, value in rows)
        self._heap = [(when, key) for when, key in entries if when is not None]
        heapq.heapify(self._heap)
