"""The rows of a run in the table `runs`.

The first, under the id of the run, says when it wants attention, what it is pinned to and where it stands. A
run that has grown has a further row for each part of its state, under the id and `/` and the key of the part.
They go with the run.
"""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from streams.offload import row_digest
from streams.shell.rows import BREAK
from streams.shell.stage import Kept

Fetch = Callable[[str], bytes]
"""The row with that digest. Raises `NotYet` until it is at hand."""

PINNED = "pinned"
"""Key of the row with the workflow of a run that has grown. No part of the state has it."""

_HEAD = struct.Struct(">dI")


class RunRow(NamedTuple):
    """The first row."""

    due_s: float
    """Unix seconds. A run under way: when an attempt is to begin or its time is up. A finished one: when it
    may be forgotten."""
    pinned: bytes
    """The workflow as JSON for a run of the draft, which may change, or its SHA-256 if that is a row of its
    own. Empty for a published version."""
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


class RunParts:
    """The rows of one run's parts, as `streams.engine.parts.PartRows`."""

    __slots__ = ("_fetch", "_kept", "_run_id")

    def __init__(self, run_id: str, kept: Kept, fetch: Fetch) -> None:
        self._run_id = run_id
        self._kept = kept
        self._fetch = fetch

    def get(self, key: str) -> bytes | None:
        """None where there is none. Raises what `fetch` raises for a row that is in the object storage."""
        row = self._kept.get(part_key(self._run_id, key))
        digest = None if row is None else row_digest(row)
        return row if digest is None else self._fetch(digest)

    def all_keys(self) -> Iterator[str]:
        """All that there are, the pinned workflow included."""
        prefix = part_key(self._run_id, "")
        return (key.removeprefix(prefix) for key in self._kept.under(prefix))

    def pinned(self) -> bytes:
        """The workflow as JSON. Raises `KeyError` where it is no row of its own."""
        pinned = self.get(PINNED)
        if pinned is None:
            raise KeyError(part_key(self._run_id, PINNED))
        return pinned


def part_key(run_id: str, key: str) -> str:
    """Where a part of a run is kept."""
    return f"{run_id}{BREAK}{key}"


def is_workflow(pinned: bytes) -> bool:
    """Whether it is the workflow itself."""
    return pinned.startswith(b"{")


def row_due(key: str, row: bytes) -> float | None:
    """`RunRow.due_s`, without looking at the rest. A part is never due."""
    if BREAK in key:
        return None
    due_s: float = _HEAD.unpack_from(row)[0]
    return due_s
