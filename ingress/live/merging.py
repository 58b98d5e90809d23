"""Puts what is read of several partitions into the order of time. Pure.

A consumer is given one partition sooner than another. Taken as they come, thousands of nodes would be held
back until the records of their runs are there.
"""

from collections import deque
from collections.abc import Iterable
from heapq import merge
from itertools import takewhile
from math import inf

from ingress.live.changes import Change, Place

_MOST_BYTES = 1024 * 1024
_OVERHEAD_BYTES = 1024
"""Of a record beside its value, as objects in memory."""

_Timed = tuple[float, Change]


class Merging:
    """Of a stretch of each partition. The order within one stays, whatever the times say."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._reached: dict[Place, float] = dict.fromkeys(places, -inf)
        """The latest time that was seen; infinite where the stretch is through."""
        self._waiting: dict[Place, deque[_Timed]] = {place: deque() for place in self._reached}
        self._bytes = dict.fromkeys(self._reached, 0)

    def reach(self, place: Place, at_ms: float, change: Change | None = None) -> None:
        """The next record of the partition is of that time, and wanted if it is given. `inf` is the end."""
        at_ms = self._reached[place] = max(self._reached[place], at_ms)
        if change is not None:
            self._waiting[place].append((at_ms, change))
            self._bytes[place] += change.size + _OVERHEAD_BYTES

    def take(self) -> list[Change]:
        """All that no partition can have anything before."""
        until = min(self._reached.values())
        ready = [self._take(place, until) for place in self._waiting]
        return [change for _, change in merge(*ready, key=lambda timed: timed[0])]

    @property
    def ahead(self) -> set[Place]:
        """What need not be read on for now. Never the partition that the others wait for."""
        return {place for place, size in self._bytes.items() if size > _MOST_BYTES}

    def _take(self, place: Place, until: float) -> list[_Timed]:
        waiting = self._waiting[place]
        ready = list(takewhile(lambda timed: timed[0] <= until, waiting))
        for _, change in ready:
            waiting.popleft()
            self._bytes[place] -= change.size + _OVERHEAD_BYTES
        return ready
