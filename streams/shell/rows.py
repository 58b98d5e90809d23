"""Where rows are kept: in memory, or in RocksDB so that a restart reads only what it has missed.

Both know, for each partition, how far in the changelog they are complete.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from rocksdict import AccessType, DBCompressionType, Options, Rdict, WriteBatch

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


class Rows(Protocol):
    """One table's rows, by partition. No method blocks for longer than a local disk does."""

    def open(self, partition: int) -> Mark | None:
        """Makes a partition usable. How far its rows go, None when it has none."""

    def close(self, partition: int) -> None:
        """The partition has another owner now."""

    def clear(self, partition: int) -> None:
        """Forgets every row of an open partition."""

    def get(self, partition: int, key: str) -> bytes | None:
        """The row of an open partition."""

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark) -> None:
        """Writes rows and how far they bring the partition, together or not at all."""

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """All rows of an open partition."""

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        """The keys of an open partition that begin with `prefix`, in order. It ends with `BREAK` and has no
        other: so it costs what it finds, wherever the rows are kept."""

    def size(self, partition: int) -> int:
        """How many rows an open partition has; an upper bound is enough."""


class MemoryRows:
    """Rows in dictionaries; a restart reads the whole changelog."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[str, bytes]] = {}
        self._together: dict[int, dict[str, set[str]]] = {}
        self._marks: dict[int, Mark] = {}

    def open(self, partition: int) -> Mark | None:
        self._rows.setdefault(partition, {})
        self._together.setdefault(partition, {})
        return self._marks.get(partition)

    def close(self, partition: int) -> None:
        self._rows.pop(partition, None)
        self._together.pop(partition, None)
        self._marks.pop(partition, None)

    def clear(self, partition: int) -> None:
        self._rows[partition] = {}
        self._together[partition] = {}
        self._marks.pop(partition, None)

    def get(self, partition: int, key: str) -> bytes | None:
        return self._rows[partition].get(key)

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark) -> None:
        rows = self._rows[partition]
        for key, value in writes:
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
            if BREAK in key:
                self._note(partition, key, there=value is not None)
        self._marks[partition] = mark

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        return iter(sorted(self._together[partition].get(prefix, ())))

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

    def size(self, partition: int) -> int:
        return len(self._rows[partition])


_MARK = b"\x00mark"
"""Sorts before every row key, which is never empty and never starts with NUL."""

_WRITE_BUFFER_BYTES = 8 * 1024 * 1024


class RocksRows:
    """One RocksDB for each partition in `folder`. A killed process loses nothing; after a power cut the
    tail of the write-ahead log may be missing, with the offset that went with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._dbs: dict[int, Rdict] = {}
        self._counts: dict[int, int] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, partition: int) -> Mark | None:
        if partition not in self._dbs:
            self._dbs[partition] = Rdict(
                str(self._path(partition)), _options(), access_type=AccessType.read_write()
            )
        mark = self._dbs[partition].get(_MARK)
        if mark is None:
            return None
        offset, _, epoch = mark.partition(b" ")
        return Mark(int(offset), Epoch.decode(epoch))

    def close(self, partition: int) -> None:
        database = self._dbs.pop(partition, None)
        if database is not None:
            database.close()

    def clear(self, partition: int) -> None:
        self.close(partition)
        shutil.rmtree(self._path(partition), ignore_errors=True)
        self.open(partition)

    def get(self, partition: int, key: str) -> bytes | None:
        value: bytes | None = self._dbs[partition].get(key.encode())
        return value

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in writes:
            if value is None:
                batch.delete(key.encode())
            else:
                batch.put(key.encode(), value)
        batch.put(_MARK, b"%d %b" % (mark.offset, mark.epoch.encode()))
        self._dbs[partition].write(batch)

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        rows: Iterator[tuple[bytes, bytes]] = self._dbs[partition].items()  # type: ignore[assignment]
        for key, value in rows:
            if key != _MARK:
                yield key.decode(), value

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        begin = prefix.encode()
        keys: Iterator[bytes] = self._dbs[partition].keys(from_key=begin)  # type: ignore[assignment]
        for key in keys:
            if not key.startswith(begin):
                return
            yield key.decode()

    def size(self, partition: int) -> int:
        return int(self._dbs[partition].property_int_value("rocksdb.estimate-num-keys") or 0)

    def _path(self, partition: int) -> Path:
        return self._folder / str(partition)


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    return options
