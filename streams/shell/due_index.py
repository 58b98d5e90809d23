"""The due times of rows on disk, beside the rows: as many as there are cost nothing until their time comes.

An entry is the time, as bytes that sort as it does, and the key of the row. Those that are next are in memory
as well: everything before a border, which is moved on when they are used up, and back when they become many.
"""

import heapq
import struct
from collections.abc import Callable, Iterable, Sequence

from streams.shell.due import Due

_TIME = struct.Struct(">d")
"""Floats that are not negative sort as their bytes do."""

_AHEAD = 512
"""Entries that are read at a time."""
_MOST = 4 * _AHEAD
"""Entries in memory. What surpasses them is cut to those that are next."""
_SETTLED = 1_000
"""Entries that are done with are removed with the rows that are written next, or when they are so many."""

Read = Callable[[bytes, int], Sequence[bytes]]
Remove = Callable[[Sequence[bytes]], None]

_BEGIN = Due(0.0, "")


def encode(due: Due) -> bytes:
    """As it is kept."""
    return _TIME.pack(max(due.at, 0.0)) + due.key.encode()


def decode(entry: bytes) -> Due:
    """The inverse of `encode`."""
    (at,) = _TIME.unpack_from(entry)
    return Due(at, entry[_TIME.size :].decode())


class DueIndex:
    """A `DueQueue` of which the rows' own store keeps the entries, see `streams.shell.rocks`."""

    def __init__(self, read: Read, remove: Remove) -> None:
        """`read`: at most so many entries from one on, in order; fewer where there are no more. `remove`:
        deletes entries."""
        self._read = read
        self._remove = remove
        self._soon: list[Due] = []
        """A heap: all entries before the border."""
        self._again: list[Due] = []
        """A heap of those that were pushed, whatever the store has."""
        self._border: Due | None = _BEGIN
        """None: there are no entries behind those in memory."""
        self._settled: list[bytes] = []

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._soon) + len(self._again)

    @property
    def next(self) -> float | None:
        # Asked for before and after each turn.
        if not self._soon and self._border is not None:
            self._look_ahead()
        if not self._again:
            return self._soon[0].at if self._soon else None
        return min(self._soon[0], self._again[0]).at if self._soon else self._again[0].at

    def pop(self, now: float, limit: int) -> list[Due]:
        entries: list[Due] = []
        while len(entries) < limit:
            self._look_ahead()
            heap = min((heap for heap in (self._soon, self._again) if heap), default=None)
            if heap is None or heap[0].at > now:
                break
            entries.append(heapq.heappop(heap))
        return entries

    def push(self, due: Due) -> None:
        heapq.heappush(self._again, due)

    def settle(self, entries: Iterable[Due]) -> None:
        self._settled += map(encode, entries)
        if len(self._settled) > _SETTLED:
            self._remove(self.take_settled())

    def take_settled(self) -> list[bytes]:
        """Entries to be deleted together with what is written now."""
        settled, self._settled = self._settled, []
        return settled

    def enter(self, entries: Iterable[Due]) -> None:
        """Those of rows that were written, and that the store has by now."""
        for due in entries:
            if self._border is None or due < self._border:
                heapq.heappush(self._soon, due)
        if len(self._soon) > _MOST:
            self._soon.sort()
            self._border = self._soon[_AHEAD]
            del self._soon[_AHEAD:]

    def _look_ahead(self) -> None:
        while not self._soon and self._border is not None:
            found = self._read(encode(self._border), _AHEAD + 1)
            self._soon = [decode(entry) for entry in found[:_AHEAD]]
            self._border = decode(found[_AHEAD]) if len(found) > _AHEAD else None
