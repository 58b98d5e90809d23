"""Rows in RocksDB. The changelog is the truth: a store that may have a hole is read from there again.

Nothing is synced while it is written. A killed process loses nothing by that. When the machine goes down,
anything may be missing, also in the middle, which RocksDB does not always notice: no store that was open then
is believed. See docs/adr/0022.
"""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from rocksdict import AccessType, BlockBasedOptions, Cache, DBCompressionType, Options, Rdict, WriteBatch

from streams.shell.boot import OpenMark
from streams.shell.due import Due, DueOf, DueQueue
from streams.shell.due_column import DueColumn, column_families
from streams.shell.due_index import DueIndex
from streams.shell.errors import StoreDamaged, StoreUnusable
from streams.shell.rows import Epoch, Mark, RowsSize, Write
from transport.boot import boot_id

log = logging.getLogger(__name__)

_MARK = b"\x00mark"
"""Sorts before every row key, which is never empty and never starts with NUL."""

_WRITE_BUFFER_BYTES = 8 * 1024 * 1024
_CACHE_BYTES = 64 * 1024 * 1024
_BITS_PER_KEY = 10
_WAL_BYTES = 4 * _WRITE_BUFFER_BYTES
"""What a start has to read again at most. A family that is seldom written would keep more."""

_KEYS = "rocksdb.estimate-num-keys"
_SIZES = ("rocksdb.total-sst-files-size", "rocksdb.cur-size-active-mem-table")

_GONE = ".gone"
_DAMAGED = ".damaged"

_NOT_THE_STORE = (
    "LOCK:",
    "No space left",
    "quota exceeded",
    "Too many open files",
    "Cannot allocate memory",
    "Permission denied",
    "Operation not permitted",
    "Read-only file system",
)
"""What RocksDB's messages say when the files are well, and only cannot be used now."""


def new_cache() -> Cache:
    """For all stores of a process: left to itself, RocksDB gives 32 MiB to each of them."""
    return Cache(_CACHE_BYTES)


class RocksRows:
    """One RocksDB for each partition in `folder`."""

    def __init__(self, folder: Path, boot: str | None = None, cache: Cache | None = None) -> None:
        """`boot`: which boot of the machine this is, as `boot_id` says it. `cache`: shared with other tables,
        see `new_cache`."""
        self._folder = folder
        self._cache = cache or new_cache()
        self._dbs: dict[int, Rdict] = {}
        self._columns: dict[int, DueColumn] = {}
        self._queues: dict[int, DueIndex] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._open_mark = OpenMark(folder, boot_id() if boot is None else boot)
        if self._open_mark.tells_of_a_crash:
            log.warning("%s was open when the machine went down: it is read from the changelog again", folder)
            for store in [path for path in folder.iterdir() if path.name.isdecimal()]:
                _remove(store)
        for left in folder.glob(f"*{_GONE}"):
            shutil.rmtree(left, ignore_errors=True)

    def open(self, partition: int) -> Mark | None:
        if partition not in self._dbs:
            if not self._dbs:
                self._open_mark.set()
            self._dbs[partition] = self._opened(partition)
        try:
            return self._mark(partition)
        except StoreDamaged as damaged:
            log.warning("%s, and is read from the changelog again", damaged)
            self.clear(partition)
            return None

    def close(self, partition: int) -> None:
        database = self._taken(partition)
        if database is None:
            return
        try:
            database.close()  # Writes what is in memory, and syncs it.
        except Exception as error:
            # What it could not write, the next owner reads from the changelog.
            log.warning("%s", self._damaged(partition, str(error)))
        if not self._dbs:
            self._open_mark.clear()

    def clear(self, partition: int) -> None:
        database = self._taken(partition)
        if database is not None:
            with suppress(Exception):  # What it says about the files does not matter any more.
                database.close()
        del database
        self._remove(partition)
        self.open(partition)

    def get(self, partition: int, key: str) -> bytes | None:
        try:
            value: bytes | None = self._dbs[partition].get(key.encode())
        except Exception as error:
            raise self._failure(partition, error) from error
        return value

    def apply(self, partition: int, writes: Sequence[Write], mark: Mark, dues: Sequence[Due] = ()) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in writes:
            if value is None:
                batch.delete(key.encode())
            else:
                batch.put(key.encode(), value)
        encoded = b"%d %b" % (mark.offset, mark.epoch.encode())
        batch.put(_MARK, encoded)
        queue = self._queues.get(partition)
        if queue is not None:
            self._columns[partition].add(batch, dues, queue.take_settled(), encoded)
        try:
            self._dbs[partition].write(batch)
        except Exception as error:
            raise self._failure(partition, error) from error
        if queue is not None:
            queue.enter(dues)

    def queue(self, partition: int, due_of: DueOf) -> DueQueue:
        if (queue := self._queues.get(partition)) is not None:
            return queue
        column = self._columns[partition] = DueColumn(self._dbs[partition])
        mark = self._told(partition, lambda: self._dbs[partition].get(_MARK)) or b""
        if self._told(partition, column.complete_for) != mark:
            self._told(partition, lambda: column.rebuild(self.items(partition), due_of, mark))
        queue = self._queues[partition] = DueIndex(
            partial(self._dues, partition), partial(self._forget, partition)
        )
        return queue

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        rows: Iterator[tuple[bytes, bytes]] = self._dbs[partition].items()  # type: ignore[assignment]
        last = b""
        for key, value in rows:
            last = key
            if key != _MARK:
                yield key.decode(), value
        self._ensure_end(partition, last)

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        begin = last = prefix.encode()
        keys: Iterator[bytes] = self._dbs[partition].keys(from_key=begin)  # type: ignore[assignment]
        for key in keys:
            if not key.startswith(begin):
                return
            last = key
            yield key.decode()
        self._ensure_end(partition, last)

    def size(self, partition: int) -> RowsSize:
        """RocksDB's own estimate: a row that was written twice counts twice until it is merged."""
        database = self._dbs[partition]
        size_bytes = sum(database.property_int_value(name) or 0 for name in _SIZES)
        # The mark is no row.
        return RowsSize(max(0, (database.property_int_value(_KEYS) or 0) - 1), size_bytes)

    def _dues(self, partition: int, begin: bytes, limit: int) -> Sequence[bytes]:
        found: Sequence[bytes] | None
        found = self._told(partition, lambda: self._columns[partition].read(begin, limit))
        if found is None:
            raise self._damaged(partition, "due times are missing between those that are there")
        return found

    def _forget(self, partition: int, entries: Sequence[bytes]) -> None:
        self._told(partition, lambda: self._columns[partition].remove(entries))

    def _taken(self, partition: int) -> Rdict | None:
        """The store, to be closed: whatever else refers to it keeps its lock."""
        self._queues.pop(partition, None)
        column = self._columns.pop(partition, None)
        if column is not None:
            column.close()
        return self._dbs.pop(partition, None)

    def _ensure_end(self, partition: int, last: bytes) -> None:
        """An iterator ends at a damaged block as if there were no more. Looks behind the last key it gave."""
        behind = self._dbs[partition].iter()
        behind.seek(last + b"\x00")
        self._told(partition, behind.status)
        if behind.valid():
            raise self._damaged(partition, "rows are missing between those that are there")

    def _opened(self, partition: int) -> Rdict:
        path = self._path(partition)
        if self._damaged_mark(partition).exists():
            self._remove(partition)
        try:
            return _open(path, self._cache)
        except Exception as error:
            if isinstance(failure := self._failure(partition, error), StoreUnusable):
                raise failure from error
            log.warning("%s, and is read from the changelog again", failure)
        self._remove(partition)
        try:
            return _open(path, self._cache)
        except Exception as error:
            raise StoreUnusable(f"{path} cannot be used: {error}") from error

    def _mark(self, partition: int) -> Mark | None:
        mark = self._told(partition, lambda: self._dbs[partition].get(_MARK))
        if mark is None:
            return None
        offset, _, epoch = mark.partition(b" ")
        try:
            return Mark(int(offset), Epoch.decode(epoch))
        except ValueError:
            raise self._damaged(partition, f"its mark is {mark!r}") from None

    def _remove(self, partition: int) -> None:
        _remove(self._path(partition))
        self._damaged_mark(partition).unlink(missing_ok=True)

    def _told(self, partition: int, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:
            raise self._failure(partition, error) from error

    def _failure(self, partition: int, error: Exception) -> StoreDamaged | StoreUnusable:
        """What RocksDB says it by is a text. Whatever is not known to be something else is damage."""
        if any(reason in str(error) for reason in _NOT_THE_STORE):
            return StoreUnusable(f"{self._path(partition)} cannot be used: {error}")
        return self._damaged(partition, str(error))

    def _damaged(self, partition: int, why: str) -> StoreDamaged:
        # A damaged block is found when it is read, and opens without a word at the next start.
        self._damaged_mark(partition).touch()
        return StoreDamaged(f"the store {self._path(partition)} is damaged ({' '.join(why.split())})")

    def _damaged_mark(self, partition: int) -> Path:
        return self._folder / f"{partition}{_DAMAGED}"

    def _path(self, partition: int) -> Path:
        return self._folder / str(partition)


def _open(path: Path, cache: Cache) -> Rdict:
    return Rdict(
        str(path),
        _options(cache),
        column_families=column_families(_options(cache)),
        access_type=AccessType.read_write(),
    )


def _remove(store: Path) -> None:
    """Renamed first: half a store must never be taken for a whole one. Raises `StoreUnusable`."""
    gone = store.with_name(f"{store.name}{_GONE}")
    try:
        if gone.exists():
            shutil.rmtree(gone)
        if store.exists():
            store.rename(gone)
    except OSError as refused:
        raise StoreUnusable(f"{store} cannot be removed: {refused}") from refused
    shutil.rmtree(gone, ignore_errors=True)


def _options(cache: Cache) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(_WAL_BYTES)
    blocks = BlockBasedOptions()
    # Most looks are for what is not there: each event that is no duplicate, each run that begins.
    blocks.set_bloom_filter(_BITS_PER_KEY, block_based=False)
    blocks.set_block_cache(cache)
    options.set_block_based_table_factory(blocks)
    return options
