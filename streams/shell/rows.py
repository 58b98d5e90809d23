"""Where rows are kept: in memory, or in RocksDB (`streams.shell.rocks`) so that a restart reads only what it
has missed.

Both know, for each partition, how far in the changelog they are complete.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from streams.shell.due import Due, DueHeap, DueOf, DueQueue

Write = tuple[str, bytes | None]
"""Row key and its new value; None deletes."""


BREAK = "/"
"""Ends the part of a key that rows which belong together have in common."""


class Epoch(NamedTuple):
    """Which ownership of a partition a row was written under; of two owners the later one has the greater.

    The changelog only grows, so a later owner finds at least as many rows; if it finds as many, because the
    earlier one wrote none, the generation of the consumer group decides.
    """

    end: int
    """Where the changelog ended when the owner had recovered it."""
    generation: int

    def encode(self) -> bytes:
        """As it stands in the header of a row."""
        return b"%d.%d" % self

    @classmethod
    def decode(cls, encoded: bytes) -> "Epoch":
        """The inverse of `encode`."""
        end, _, generation = encoded.partition(b".")
        return cls(int(end), int(generation))


class Mark(NamedTuple):
    """How far the rows of a partition go."""

    offset: int
    """The last changelog offset that they contain."""
    epoch: Epoch
    """The greatest epoch up to there."""


class RowsSize(NamedTuple):
    """What the rows of a partition take, as far as it is known without reading them."""

    rows: int
    size_bytes: int
    """Of keys and values, in memory and on the disk."""


class Rows(Protocol):
    """One table's rows, by partition. No method blocks for longer than a local disk does.

    Any of them may raise `StoreDamaged`, after which a new process finds the partition empty, and
    `StoreUnusable`.
    """

    def open(self, partition: int) -> Mark | None:
        """Makes a partition usable. How far its rows go, None when it has none."""

    def close(self, partition: int) -> None:
        """The partition has another owner now."""

    def clear(self, partition: int) -> None:
        """Forgets every row of an open partition."""

    def get(self, partition: int, key: str) -> bytes | None:
        """The row of an open partition."""

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark, dues: Sequence[Due] = ()) -> None:
        """Writes rows and how far they bring the partition, together or not at all. `dues`: when they are
        due, those that are."""

    def queue(self, partition: int, due_of: DueOf) -> DueQueue:
        """When the rows of an open partition are due. To be asked for before the first `apply` with any."""

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """All rows of an open partition."""

    def size(self, partition: int) -> RowsSize:
        """Of an open partition. Cheap, however many there are."""

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        """The keys of an open partition that begin with `prefix`, in order. It ends with `BREAK` and has no
        other: so it costs what it finds, wherever the rows are kept."""


class MemoryRows:
    """Rows in dictionaries; a restart reads the whole changelog."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, bytes]] = {}
        self._together: dict[int, dict[str, set[str]]] = {}
        self._bytes: dict[int, int] = {}
        self._marks: dict[int, Mark] = {}
        self._queues: dict[int, DueHeap] = {}

    def open(self, partition: int) -> Mark | None:
        self._rows.setdefault(partition, {})
        self._together.setdefault(partition, {})
        self._bytes.setdefault(partition, 0)
        return self._marks.get(partition)

    def close(self, partition: int) -> None:
        self._rows.pop(partition, None)
        self._together.pop(partition, None)
        self._bytes.pop(partition, None)
        self._marks.pop(partition, None)
        self._queues.pop(partition, None)

    def clear(self, partition: int) -> None:
        self._rows[partition] = {}
        self._together[partition] = {}
        self._bytes[partition] = 0
        self._marks.pop(partition, None)
        self._queues.pop(partition, None)

    def get(self, partition: int, key: str) -> bytes | None:
        return self._rows[partition].get(key)

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark, dues: Sequence[Due] = ()) -> None:
        rows, grown = self._rows[partition], 0
        for key, value in writes:
            before = rows.pop(key, None)
            if before is not None:
                grown -= len(key) + len(before)
            if value is not None:
                rows[key] = value
                grown += len(key) + len(value)
            if BREAK in key:
                self._note(partition, key, there=value is not None)
        self._bytes[partition] += grown
        self._marks[partition] = mark
        if dues:
            self._queues[partition].enter(dues, rows)

    def queue(self, partition: int, due_of: DueOf) -> DueQueue:
        if partition not in self._queues:
            self._queues[partition] = DueHeap(due_of)
            self._queues[partition].rebuild(self._rows[partition])
        return self._queues[partition]

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        return iter(sorted(self._together[partition].get(prefix, ())))

    def size(self, partition: int) -> RowsSize:
        return RowsSize(len(self._rows[partition]), self._bytes[partition])

    def _note(self, partition: int, key: str, *, there: bool) -> None:
        prefix = key[: key.index(BREAK) + 1]
        together = self._together[partition].setdefault(prefix, set())
        if there:
            together.add(key)
        else:
            together.discard(key)
        if not together:
            del self._together[partition][prefix]

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        return iter(self._rows[partition].items())
