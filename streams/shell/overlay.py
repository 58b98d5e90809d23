"""What a stage has kept as of now: the table, under the writes of the turn that is being decided."""

from collections.abc import Mapping
from itertools import chain

from streams.shell.replay import owner_of
from streams.shell.rows import BREAK, Write
from streams.shell.stage import Kept
from streams.shell.table import Table


class Nothing:
    """The `Kept` of a stage without a table."""

    def get(self, key: str) -> bytes | None:
        """Always None."""
        return None

    def under(self, prefix: str) -> list[str]:
        """Always empty."""
        return []


class _View:
    """The `Kept` of one partition."""

    __slots__ = ("_partition", "_table", "_writes")

    def __init__(self, table: Table, partition: int, writes: dict[str, bytes | None]) -> None:
        self._table = table
        self._partition = partition
        self._writes = writes

    def get(self, key: str) -> bytes | None:
        if key in self._writes:
            return self._writes[key]
        return self._table.get(self._partition, key)

    def under(self, prefix: str) -> list[str]:
        written = {key for key, value in self._writes.items() if value is not None and key.startswith(prefix)}
        kept = (key for key in self._table.under(self._partition, prefix) if key not in self._writes)
        return sorted(written.union(kept))


class Overlay:
    """The writes of one turn, over all partitions. Only the last write of a row goes to the changelog:
    they are confirmed together, so nobody can see the ones before it."""

    def __init__(self, table: Table | None) -> None:
        self._table = table
        self._writes: dict[int, dict[str, bytes | None]] = {}
        self._views: dict[int, Kept] = {}

    def of(self, partition: int) -> Kept:
        """What is kept for a partition."""
        view = self._views.get(partition)
        if view is None:
            view = self._views[partition] = self._open(partition)
        return view

    def write(self, partition: int, writes: dict[str, bytes | None]) -> None:
        """A decision's writes."""
        if writes:
            self.of(partition)
            self._writes[partition].update(writes)

    def writes(self) -> dict[int, list[Write]]:
        """Partition to what has been written, rows that belong together one after the other."""
        return {partition: _together(writes) for partition, writes in self._writes.items() if writes}

    def _open(self, partition: int) -> Kept:
        if self._table is None:
            return Nothing()
        writes = self._writes.setdefault(partition, {})
        return _View(self._table, partition, writes)


def _together(writes: Mapping[str, bytes | None]) -> list[Write]:
    if not any(BREAK in key for key in writes):
        return list(writes.items())
    groups: dict[str, list[Write]] = {}
    for write in writes.items():
        groups.setdefault(owner_of(write[0]), []).append(write)
    return list(chain.from_iterable(groups.values()))
