"""Which rows of a changelog count, for whoever reads it back.

Rows carry the epoch of their writer in a header. A worker that was frozen while it sent rows sends them when
it wakes up, after others have gone on; nothing on the way can stop it. Whoever reads the changelog next sees
a smaller epoch after a greater one, and leaves such a row out.

Rows that belong together (see `rows.BREAK`) and were written together are a group: each says how many of
them follow. A worker that dies while it sends them leaves the first few. Half a run is worse than the run as
it was before, from which its command is decided again, so a group that is not whole is left out, too.

A row that is left out is the newest of its key all the same: the right one is to be written again.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.shell.rows import BREAK, Epoch

NO_EPOCH = Epoch(-1, -1)


class Recovered(NamedTuple):
    """One row of the changelog. Without an epoch it counts as written under the one before it."""

    key: str
    value: bytes | None
    epoch: Epoch | None
    offset: int
    more: int = 0
    """How many rows of its group follow."""
    format: int = 1
    """Of its bytes."""


def owner_of(key: str) -> str:
    """What rows that belong together have in common."""
    return key.partition(BREAK)[0]


def followers(keys: Sequence[str]) -> list[int]:
    """Of each row that is written, how many of its group follow: those next to each other with one owner."""
    counts = [0] * len(keys)
    if not any(BREAK in key for key in keys):
        return counts
    owners = [owner_of(key) for key in keys]
    for i in range(len(keys) - 2, -1, -1):
        if owners[i] == owners[i + 1]:
            counts[i] = counts[i + 1] + 1
    return counts


class Replay:
    """One partition, read in order. Compaction may have removed any row that a later one replaces."""

    def __init__(self, epoch: Epoch) -> None:
        """`epoch`: the greatest before the first row that will be read."""
        self.epoch = epoch
        self.left_out: dict[str, int] = {}
        """Keys whose newest row does not count, each with the offset of the first such row."""
        self._group: list[Recovered] = []
        """Rows of which is not known yet whether the rest of their group is there."""
        self._through = -1
        """Offset of the last row of that group."""

    @property
    def undecided(self) -> int | None:
        """Offset of the first row that may count or not, as far as the changelog has been read."""
        return self._group[0].offset if self._group else None

    def read(self, rows: Iterable[Recovered]) -> dict[str, bytes | None]:
        """Key to value, None for one that was deleted, of what counts now."""
        counts: dict[str, bytes | None] = {}
        for row in rows:
            epoch = row.epoch or self.epoch
            if epoch < self.epoch:
                self.left_out.setdefault(row.key, row.offset)
                self._through += 1
                continue
            if epoch > self.epoch:
                # Its owner has read back what was there; of a whole group that was all.
                self._close(counts, whole=self._through < epoch.end)
                self.epoch = epoch
            elif row.offset + row.more != self._through:
                # One owner begins a group only when the one before is confirmed.
                self._close(counts, whole=True)
            self._group.append(row)
            self._through = row.offset + row.more
            if not row.more:
                self._close(counts, whole=True)
        return counts

    def end(self) -> dict[str, bytes | None]:
        """There are no more rows. The last row of a whole group would be here: nothing has replaced it."""
        counts: dict[str, bytes | None] = {}
        self._close(counts, whole=False)
        return counts

    def _close(self, counts: dict[str, bytes | None], *, whole: bool) -> None:
        for row in self._group:
            if whole:
                counts[row.key] = row.value
                self.left_out.pop(row.key, None)
            else:
                self.left_out.setdefault(row.key, row.offset)
        self._group.clear()
