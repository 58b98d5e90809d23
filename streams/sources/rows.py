"""The bytes of the table `sources`: when a row wants attention, then what it keeps, as JSON.

A source has a row under the id of its trigger, with how far it has come. What it keeps besides is under
`<trigger id>/...`.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from streams.shell.rows import BREAK

_HEAD = struct.Struct(">d")
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """How far the watcher of a source has come."""

    subject: str
    """What is watched: a position means nothing for another mailbox."""
    position: Mapping[str, Any]
    """As its kind needs it."""
    triggers_offset: int
    """As far as its writer had read the triggers: one who has read less may not know this one yet."""

    def encode(self) -> bytes:
        """It waits for nothing."""
        return encode_row(None, {name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def decode(cls, row: bytes) -> "SourceRow":
        """The inverse of `encode`."""
        return cls(**decode_row(row))


def encode_row(due_s: float | None, body: Mapping[str, Any]) -> bytes:
    """`due_s`: unix seconds; None for never."""
    return _HEAD.pack(_NEVER if due_s is None else due_s) + orjson.dumps(body)


def decode_row(row: bytes) -> dict[str, Any]:
    """The body."""
    body: dict[str, Any] = orjson.loads(row[_HEAD.size :])
    return body


def triggers_offset(row: bytes) -> int | None:
    """As far as its writer had read the triggers; None where it does not say."""
    written: int | None = decode_row(row).get("triggers_offset")
    return written


def row_due(_key: str, row: bytes) -> float | None:
    """Unix seconds; None for one that waits for nothing."""
    due_s: float = _HEAD.unpack_from(row)[0]
    return None if due_s == _NEVER else due_s


def source_of(key: str) -> str:
    """The id of the trigger that a row is of."""
    return key.partition(BREAK)[0]


def prefix_of(source_id: str) -> str:
    """What the keys begin with that a source keeps besides its position."""
    return source_id + BREAK
