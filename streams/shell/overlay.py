"""What a stage has kept as of now: the table, under the writes of the turn that is being decided."""

from collections.abc import Mapping
from itertools import chain, islice

from streams.shell.replay import owner_of
from streams.shell.rows import BREAK, Write
from streams.shell.stage import Kept
from streams.shell.table import Table


class Nothing:
    """The `Kept` of a stage without a table."""

    def get(self, key: str) -> bytes | None:
        """Always None."""
        return None

    def under(self, prefix: str, most: int | None = None) -> list[str]:
        """Always empty."""
        return []


class _View:
    """The `Kept` of one partition."""

    __slots__ = ("_partition", "_parts", "_table", "_writes")

    def __init__(self, table: Table, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._writes: dict[str, bytes | None] = {}
        self._parts: dict[str, set[str]] = {}
        """Of what was written, the keys with a `BREAK`, by what they begin with."""

    @property
    def writes(self) -> Mapping[str, bytes | None]:
        """What was written, in order."""
        return self._writes

    def write(self, writes: Mapping[str, bytes | None]) -> None:
        """Further rows."""
        self._writes.update(writes)
        for key in writes:
            if BREAK in key:
                self._parts.setdefault(key[: key.index(BREAK) + 1], set()).add(key)

    def get(self, key: str) -> bytes | None:
        if key in self._writes:
            return self._writes[key]
        return self._table.get(self._partition, key)

    def under(self, prefix: str, most: int | None = None) -> list[str]:
        written = self._parts.get(prefix, set())
        there = {key for key in written if self._writes[key] is not None}
        kept = (key for key in self._table.under(self._partition, prefix) if key not in written)
        return sorted(there.union(islice(kept, most)))[:most]


class Overlay:
    """The writes of one turn, over all partitions. Only the last write of a row goes to the changelog:
    they are confirmed together, so nobody can see the ones before it."""

    def __init__(self, table: Table | None) -> None:
        self._table = table
        self._views: dict[int, _View] = {}

    def of(self, partition: int) -> Kept:
        """What is kept for a partition."""
        return Nothing() if self._table is None else self._view(self._table, partition)

    def write(self, partition: int, writes: Mapping[str, bytes | None]) -> None:
        """A decision's writes. Raises `ValueError` where there is no table."""
        if not writes:
            return
        if self._table is None:
            raise ValueError("a stage without a table has decided to write rows")
        self._view(self._table, partition).write(writes)

    def writes(self) -> dict[int, list[Write]]:
        """Partition to what has been written, rows that belong together one after the other."""
        return {number: _together(view.writes) for number, view in self._views.items() if view.writes}

    def _view(self, table: Table, partition: int) -> _View:
        view = self._views.get(partition)
        if view is None:
            view = self._views[partition] = _View(table, partition)
        return view


def _together(writes: Mapping[str, bytes | None]) -> list[Write]:
    if not any(BREAK in key for key in writes):
        return list(writes.items())
    groups: dict[str, list[Write]] = {}
    for write in writes.items():
        groups.setdefault(owner_of(write[0]), []).append(write)
    return list(chain.from_iterable(groups.values()))
