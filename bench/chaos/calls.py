"""The receiver's own account of the side effects: a line of JSON for each request that has come."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

Effect = tuple[str, str, int]
"""The event, the node and the round of an iteration: what is to be done, by whichever attempt."""


class Call(NamedTuple):
    """One request, written down before it was answered."""

    at: float
    """Seconds since the epoch."""
    key: str
    """Its `Idempotency-Key`."""
    event_id: str
    node: str
    round: int
    """Of an iteration; 0 outside of one."""
    ordinal: int
    """Of its key among those of the same event, node and round, from 1: which attempt it is."""
    answer: str
    """What it was going to be answered: a `Verdict`."""

    @property
    def effect(self) -> Effect:
        """What was to be done, whichever attempt."""
        return self.event_id, self.node, self.round


class CallJournal:
    """Appends to a file that outlives the process, and knows which keys have come before."""

    def __init__(self, path: Path) -> None:
        """Goes on where a process before has ended."""
        self._keys: dict[Effect, list[str]] = {}
        for call in read_calls(path) if path.exists() else ():
            self.ordinal(call.key, call.effect)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def ordinal(self, key: str, effect: Effect) -> int:
        """Which attempt at that effect a key is: the same for the same key, the next one for a new key."""
        keys = self._keys.setdefault(effect, [])
        if key not in keys:
            keys.append(key)
        return keys.index(key) + 1

    def write(self, call: Call) -> None:
        """Returns once the operating system has it: it outlives this process, though not the machine."""
        os.write(self._file, orjson.dumps(list(call)) + b"\n")

    def close(self) -> None:
        """Nothing can be written any more."""
        os.close(self._file)


def read_calls(path: Path) -> Iterator[Call]:
    """All calls, in the order in which they came."""
    with path.open("rb") as lines:
        for line in lines:
            yield Call(*orjson.loads(line))
