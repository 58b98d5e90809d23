"""The bytes of a run in the table `runs`: when it wants attention, what it is pinned to, where it stands."""

import struct
from typing import NamedTuple

_HEAD = struct.Struct(">dI")


class RunRow(NamedTuple):
    """One row of the table."""

    due_s: float
    """A run under way: when its time is up. A finished one: when it may be forgotten. Unix seconds."""
    pinned: bytes
    """The workflow as JSON for a run of the draft, which may change; empty for a published version."""
    state: bytes
    """As `streams.engine.state.encode` gives it."""

    def encode(self) -> bytes:
        """12 bytes more than its parts. The time comes first, so that it is read without the rest."""
        return _HEAD.pack(self.due_s, len(self.pinned)) + self.pinned + self.state

    @classmethod
    def decode(cls, row: bytes) -> "RunRow":
        """The inverse of `encode`."""
        due_s, size = _HEAD.unpack_from(row)
        begin = _HEAD.size
        return cls(due_s, row[begin : begin + size], row[begin + size :])


def row_due(_key: str, row: bytes) -> float:
    """`RunRow.due_s`, without looking at the rest."""
    due_s: float = _HEAD.unpack_from(row)[0]
    return due_s
