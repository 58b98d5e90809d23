"""What a gate keeps: a head of its own, and a row for each event that waits before it."""

import struct
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from streams.shell.rows import BREAK

FORMAT = 2
"""Counts the forms of the bytes: the first had no `Head.entered`."""

_DUE = struct.Struct(">d?")
_NEVER = float("inf")
_DIGEST_BYTES = 6
_MOST_ENTERED = 1_000
"""More than a router has decided and not committed, of one gate."""


class Waiting(NamedTuple):
    """The row of an event that waits."""

    due_us: int | None
    """When its time has come; None: when the head says so."""
    closed: bool
    """Its time had come: nothing takes it back any more."""
    ticket: bytes
    """A GateCommand."""

    def encode(self) -> bytes:
        """Nine bytes more than the command."""
        return _DUE.pack(_NEVER if self.due_us is None else self.due_us / 1e6, self.closed) + self.ticket

    @classmethod
    def decode(cls, row: bytes) -> "Waiting":
        """The inverse of `encode`."""
        due_s, closed = _DUE.unpack_from(row)
        return cls(None if due_s == _NEVER else round(due_s * 1e6), closed, row[_DUE.size :])


@dataclass(slots=True)
class Head:
    """The first row of a gate."""

    seen: int = -1
    """Offset of the last command that has been decided: what is repeated after a crash changes nothing."""
    due_us: int | None = None
    """When the gate wants attention, be it to be forgotten."""
    state: dict[str, Any] = field(default_factory=dict)
    """Of the kind of gate."""
    entered: str = ""
    """Digests of the last events that have come, each behind a break."""

    def enter(self, log_id: str, log: bytes) -> bool:
        """Notes an event, by its log. Whether it is a new one: the router sends again what it had sent before
        a crash, as further commands, and what ingress has delivered twice when its window had passed.

        `log`: the record, by which the release before told events apart.
        """
        digest, former = (BREAK + blake2b(one, digest_size=_DIGEST_BYTES).hexdigest()
                          for one in (log_id.encode(), log))  # fmt: skip
        if digest in self.entered or former in self.entered:
            return False
        self.entered = (self.entered + digest)[-_MOST_ENTERED * len(digest) :]
        return True

    def encode(self) -> bytes:
        """JSON behind the time."""
        due_s = _NEVER if self.due_us is None else self.due_us / 1e6
        return _DUE.pack(due_s, False) + orjson.dumps([self.seen, self.state, self.entered])

    @classmethod
    def decode(cls, row: bytes) -> "Head":
        """The inverse of `encode`."""
        due_s, _ = _DUE.unpack_from(row)
        seen, state, *entered = orjson.loads(row[_DUE.size :])
        return cls(seen, None if due_s == _NEVER else round(due_s * 1e6), state, *entered)


def name_of(offset: int) -> str:
    """Of the event with that command: names sort as they came."""
    return f"{offset:020d}"


def split(key: str) -> tuple[str, str]:
    """Gate and name of a row; the name is "" for the head."""
    gate_key, _, name = key.partition(BREAK)
    return gate_key, name


def row_due(_key: str, row: bytes) -> float | None:
    """When a row wants attention, in unix seconds."""
    due_s: float = _DUE.unpack_from(row)[0]
    return None if due_s == _NEVER else due_s
