"""The due times of a partition's rows in RocksDB: a column family of their store, written with the rows."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from rocksdict import Options, Rdict, WriteBatch

from streams.shell.due import Due, DueOf
from streams.shell.due_index import encode

_NAME = "due"
_COMPLETE = b"\xff"
"""Behind all entries, what the rows are that they are complete for: a release that does not know of them
leaves them as they are while it writes rows."""

_BUFFER_BYTES = 1024 * 1024
_AT_ONCE = 10_000


def column_families(options: Options) -> dict[str, Options]:
    """What a store is opened with. `options`: a copy of its own."""
    options.set_write_buffer_size(_BUFFER_BYTES)
    return {_NAME: options}


class DueColumn:
    """Of one open store. Keeps it open until it is forgotten itself."""

    def __init__(self, store: Rdict) -> None:
        self._store = store
        self._entries = store.get_column_family(_NAME)
        self._family = store.get_column_family_handle(_NAME)

    def complete_for(self) -> bytes | None:
        """What was given with the entries that were written last."""
        mark: bytes | None = self._entries.get(_COMPLETE)
        return mark

    def add(self, batch: WriteBatch, dues: Sequence[Due], settled: Sequence[bytes], mark: bytes) -> None:
        """To what is about to be written. What is settled is deleted, unless it is among `dues` again."""
        for entry in settled:
            batch.delete(entry, self._family)
        for due in dues:
            batch.put(encode(due), b"", self._family)
        batch.put(_COMPLETE, mark, self._family)

    def read(self, begin: bytes, limit: int) -> list[bytes] | None:
        """At most so many entries from `begin` on. None where there ought to be more."""
        keys: Iterator[bytes] = self._entries.keys(from_key=begin)  # type: ignore[assignment]
        found = list(islice(keys, limit))
        if len(found) == limit and found[-1] != _COMPLETE:
            return found
        # An iterator ends at a damaged block as if there were no more.
        return found[:-1] if found and found[-1] == _COMPLETE else None

    def remove(self, entries: Iterable[bytes]) -> None:
        """Deletes them now."""
        batch = WriteBatch(raw_mode=True)
        for entry in entries:
            batch.delete(entry, self._family)
        self._store.write(batch)

    def rebuild(self, rows: Iterator[tuple[str, bytes]], due_of: DueOf, mark: bytes) -> None:
        """One entry for each row with a due time; those that were here remain and are outdated."""
        while some := list(islice(rows, _AT_ONCE)):
            dues = ((due_of(key, value), key) for key, value in some)
            batch = WriteBatch(raw_mode=True)
            for at, key in dues:
                if at is not None:
                    batch.put(encode(Due(at, key)), b"", self._family)
            self._store.write(batch)
        self._entries.put(_COMPLETE, mark)

    def close(self) -> None:
        """The store is about to be closed."""
        self._entries.close()
