"""Is this event a duplicate? Judged by the times at which the events arrived, not by when they are looked at.

A row remembers which record it first saw. A replay of that very record after a crash is no duplicate: its
outputs may not have been sent, so it goes through again and gives the same ids (rule 3 of the design).
Records before it may be replayed as well: the row before it stays for them.
"""

import struct
from typing import NamedTuple

_LAYOUT = struct.Struct(">iqqq")


class Seen(NamedTuple):
    """The row of one dedup_key. Times in microseconds since the epoch."""

    partition: int
    offset: int
    """Where the first event with this key is."""
    expires_at: int
    """An event that arrived before this is a duplicate of the first."""
    keep_until: int
    """The row is kept this long by the wall clock: a consumer that lags meets late duplicates late."""

    def encode(self) -> bytes:
        """28 bytes."""
        return _LAYOUT.pack(*self)

    @classmethod
    def decode(cls, row: bytes) -> "Seen":
        """The inverse of `encode`."""
        return cls(*_LAYOUT.unpack(row))

    def is_replay(self, partition: int, offset: int) -> bool:
        """Whether the record at this position has made the row."""
        return (self.partition, self.offset) == (partition, offset)

    def is_later(self, partition: int, offset: int) -> bool:
        """Whether the record at this position has been here before the one that made the row."""
        return self.partition == partition and offset < self.offset

    def covers(self, received_at: int) -> bool:
        """Whether an event that arrived then is within the window."""
        return received_at < self.expires_at


def before(key: str) -> str:
    """The key of the row that another one has taken the place of."""
    return f"{key}\n"


def part_key(key: str, part: str) -> str:
    """The key of the row of one part of the deliveries. Under the part "" is a copy of the row of all, for
    which the parts are known."""
    return f"{key}\t{part}"


def replaced(seen: Seen, now_us: int) -> Seen:
    """What is kept under `before`, until the duplicates of that event can't come again after a crash."""
    return seen._replace(keep_until=now_us + _COMMITTED_US)


class Lag:
    """How late events have been looked at of late."""

    def __init__(self) -> None:
        self._us = 0
        self._noted_at = 0

    def note(self, received_at: int, now_us: int) -> None:
        """One is looked at; both in microseconds since the epoch."""
        lag_us = now_us - received_at
        if lag_us >= self.us(now_us):
            self._us, self._noted_at = lag_us, now_us

    def us(self, now_us: int) -> int:
        """The longest of those whose offsets may not be committed yet: after a crash they come again."""
        return self._us if now_us - self._noted_at < _COMMITTED_US else 0


def first_seen(partition: int, offset: int, received_at: int, window_ms: int, now_us: int) -> Seen:
    """The row for an event that is no duplicate."""
    window_us = window_ms * 1000
    keep_until = max(received_at, now_us) + window_us + _COMMITTED_US
    return Seen(partition, offset, received_at + window_us, keep_until)


def row_due(_key: str, row: bytes) -> float:
    """When the row wants to go, in seconds since the epoch."""
    keep_until: int = _LAYOUT.unpack(row)[-1]
    return keep_until / 1e6


def postponed(row: bytes, now_us: int, lag_us: int) -> bytes | None:
    """None when the row may go; while events are looked at late, the row for that much longer."""
    if lag_us < _NEGLIGIBLE_LAG_US:
        return None
    seen = Seen.decode(row)
    return Seen(seen.partition, seen.offset, seen.expires_at, now_us + lag_us).encode()


_NEGLIGIBLE_LAG_US = 1_000_000

_COMMITTED_US = 10_000_000
"""Longer than offsets take to be committed: a duplicate that is decided again after a crash is one again."""
