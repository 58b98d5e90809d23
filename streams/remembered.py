"""What is kept of a conversation, and how it changes. Pure.

A value belongs to the turn and the step that wrote it. The later one stays, whichever is heard of first, so
that commands may come twice and in any order. Where turns overlap, the one that began later has the last
word.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.variables import ValueType, coerce
from streams.shell.rows import BREAK

STARTS = 20
"""So many of the last turns can be started again, for a start that comes twice, with what they were given."""

_DUE = struct.Struct(">d")

Written = tuple[int, int, Any]
"""Turn, step, value."""


@dataclass(slots=True)
class Remembered:
    """A conversation without its turns."""

    due_s: float
    """Unix seconds at which it is forgotten."""
    turns: int = 0
    """How many have begun."""
    starts: dict[str, int] = field(default_factory=dict)
    """The last runs -> the numbers of their turns."""
    variables: dict[str, Written] = field(default_factory=dict)

    def encode(self) -> tuple[bytes, bytes]:
        """Its first row, which begins with the time so that it is read without the rest; its variables."""
        return _DUE.pack(self.due_s) + orjson.dumps([self.turns, self.starts]), orjson.dumps(self.variables)

    @classmethod
    def decode(cls, row: bytes, variables: bytes) -> "Remembered":
        """The inverse of `encode`."""
        turns, starts = orjson.loads(row[_DUE.size :])
        written = {name: (turn, step, value) for name, (turn, step, value) in orjson.loads(variables).items()}
        return cls(_DUE.unpack_from(row)[0], turns, starts, written)

    def begin(self, run_id: str) -> int:
        """The number of the run's turn, from 1; a run that has begun before keeps its own."""
        if run_id in self.starts:
            return self.starts[run_id]
        self.turns += 1
        self.starts[run_id] = self.turns
        for former in list(self.starts)[:-STARTS]:
            del self.starts[former]
        return self.turns

    def write(self, turn: int, step: int, variables: Mapping[str, Any]) -> None:
        """What an assigner wrote, unless a later one did before."""
        for name, value in variables.items():
            if name not in self.variables or (turn, step) >= self.variables[name][:2]:
                self.variables[name] = (turn, step, value)

    def values(self, declared: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """What a turn finds: the variables of its workflow that were written, if their type still fits."""
        found = {}
        for variable in declared:
            name = str(variable.get("name"))
            if name in self.variables and _fits(variable, self.variables[name][2]):
                found[name] = self.variables[name][2]
        return found


def row_due(key: str, row: bytes) -> float | None:
    """`Remembered.due_s`. The other rows go with it."""
    due_s: float | None = None if BREAK in key else _DUE.unpack_from(row)[0]
    return due_s


def variables_key(key: str) -> str:
    """Where its variables are kept."""
    return f"{key}{BREAK}v"


def turn_key(key: str, turn: int) -> str:
    """Where a turn is kept: `{query, answer}`. In the order of the turns."""
    return f"{key}{BREAK}t{turn:010}"


def given_key(key: str, turn: int) -> str:
    """Where it is kept what a turn was given: `{variables, turns}`."""
    return f"{key}{BREAK}g{turn:010}"


def turns_of(key: str, keys: Iterable[str]) -> list[str]:
    """The keys of its turns among those under the conversation, the oldest first."""
    return sorted(one for one in keys if one.startswith(f"{key}{BREAK}t"))


def _fits(variable: Mapping[str, Any], value: Any) -> bool:
    """Whether the value is still one of the type that the workflow declares."""
    try:
        return bool(coerce(ValueType(str(variable.get("value_type"))), value) == value)
    except ValueError:
        return False
