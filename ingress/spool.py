"""Events on the local disk while the broker is away: an append-only log of segments, each record checked.

Blocking: whoever uses it does so in a thread, one call after the other.
"""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ingress.spool_records import encode, records
from schemas.topics import MAX_MESSAGE_BYTES
from transport.errors import TransportError
from transport.producer import Send

_log = logging.getLogger(__name__)

_SEGMENT_BYTES = 8 * 1024 * 1024


class SpoolFull(TransportError):
    """There is no room, or the disk refuses: the event is not kept."""


class Spool:
    """A queue of messages in a folder, which belongs to one process at a time."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Finds again what was there. Raises `SpoolFull` where the folder cannot be used."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = _locked(folder)
        self._segments = sorted(int(one.stem) for one in folder.glob("*.spool"))
        self._read_at = self._stored_position()
        self.records = 0
        """That are not sent yet."""
        self.size = 0
        """Bytes on the disk."""
        self._recover()

    @property
    def has_room(self) -> bool:
        """For one event of any size."""
        return self.size + MAX_MESSAGE_BYTES < self._max_bytes

    def append(self, sends: Iterable[Send]) -> None:
        """Returns once all of them are on the disk, whatever happens to the machine. Raises `SpoolFull`, and
        then none of them is."""
        frames = [encode(send) for send in sends]
        total = sum(map(len, frames))
        if self.size + total > self._max_bytes:
            raise SpoolFull(f"the spool has its {self._max_bytes} bytes")
        segment = self._writable()
        path = self._path(segment)
        before = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                file.write(b"".join(frames))
                file.flush()
                os.fsync(file.fileno())
            if not before:
                self._sync_folder()
        except OSError as refused:
            # A disk that has become read-only refuses this as well; a record that is there all the same was
            # not acknowledged, and is at worst a duplicate.
            with suppress(OSError):
                os.truncate(path, before)
            raise SpoolFull(f"the spool cannot be written: {refused}") from refused
        if segment not in self._segments:
            self._segments.append(segment)
        self.records += len(frames)
        self.size += total

    def peek(self, limit: int, max_bytes: int = MAX_MESSAGE_BYTES) -> list[Send]:
        """The oldest that are not sent yet: at most `limit`, and no more once they have `max_bytes`. Raises
        `OSError` where they cannot be read."""
        found: list[Send] = []
        size = 0
        for segment, start in self._unread():
            for record in records(self._path(segment), start):
                found.append(record.send)
                size += len(record.send.value or b"")
                if len(found) == limit or size >= max_bytes:
                    return found
        return found

    def sent(self, count: int) -> None:
        """The oldest `count` are. A crash before it returns lets them be sent again."""
        left = count
        for segment, start in list(self._unread()):
            for record in records(self._path(segment), start):
                self._read_at = (segment, record.end)
                left -= 1
                if not left:
                    break
            if not left:
                break
        self.records -= count - left
        # First what makes room: a full disk may be why the position cannot be written.
        for step in (self._drop_read, self._store_position):
            try:
                step()
            except OSError as refused:
                _log.warning("the spool cannot be written, a restart sends again what was sent: %s", refused)

    def close(self) -> None:
        """What is in it stays."""
        self._lock.close()

    def _recover(self) -> None:
        """Counts what is there. What is no record at the end of a segment goes: it was never acknowledged, or
        a power cut has taken the rest of it. Damage before a record stays until that one is through."""
        for segment in self._segments:
            path, end = self._path(segment), 0
            start = self._read_at[1] if segment == self._read_at[0] else 0
            size = path.stat().st_size
            if start > size:
                # What was sent from there is gone. What comes next must not be taken for it.
                start = size
                self._read_at = (segment, size)
            end = start
            for record in records(path, start):
                self.records += segment >= self._read_at[0]
                if record.begin > end:
                    _log.error(
                        "spool %s: %d bytes at %d are damaged; what follows them is whole and goes on",
                        path, record.begin - end, end,
                    )  # fmt: skip
                end = record.end
            if end < size:
                _log.warning("spool %s: %d bytes at its end are no record, and are cut off", path, size - end)
                os.truncate(path, end)
            self.size += end
        self._drop_read()

    def _unread(self) -> Iterator[tuple[int, int]]:
        for segment in self._segments:
            if segment >= self._read_at[0]:
                yield segment, self._read_at[1] if segment == self._read_at[0] else 0

    def _drop_read(self) -> None:
        """Segments that are through, so that the folder does not grow."""
        while self._segments:
            first = self._segments[0]
            size = self._path(first).stat().st_size
            through = first < self._read_at[0] or (first == self._read_at[0] and self._read_at[1] >= size)
            if not through:
                return
            self._path(first).unlink()
            self._segments.pop(0)
            self.size -= size

    def _writable(self) -> int:
        if self._segments and self._path(self._segments[-1]).stat().st_size < _SEGMENT_BYTES:
            return self._segments[-1]
        return max((*self._segments, self._read_at[0])) + 1

    def _path(self, segment: int) -> Path:
        return self._folder / f"{segment:012d}.spool"

    def _stored_position(self) -> tuple[int, int]:
        """Segment, and the byte in it behind the last record that was sent."""
        try:
            segment, at = map(int, (self._folder / "position").read_text().split())
        except (OSError, ValueError):
            return 0, 0
        return segment, at

    def _store_position(self) -> None:
        """Atomically; not synced: what is sent twice is a duplicate."""
        new = self._folder / "position.new"
        segment, at = self._read_at
        new.write_text(f"{segment} {at}")
        new.replace(self._folder / "position")

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked(folder: Path) -> BinaryIO:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("wb")
    except OSError as refused:
        raise SpoolFull(f"{folder} cannot be used as a spool: {refused}") from refused
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as taken:
        lock.close()
        raise SpoolFull(f"another ingress uses the spool {folder}; give each a folder of its own") from taken
    return lock
