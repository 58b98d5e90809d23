"""What is kept of a conversation, and how it changes. Pure.

Turns run one after the other, in the order of their numbers; one that takes too long is not waited for.

A value belongs to the turn and the step that wrote it. The later one stays, whichever is heard of first, so
that commands may come twice and in any order. Where turns overlap, the later one has the last word.
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
_HEAD = ("tenant_id", "forget_s", "turns", "running", "until_s", "waiting", "starts")

Written = tuple[int, int, Any]
"""Turn, step, value."""


@dataclass(slots=True)
class Remembered:
    """A conversation without its turns."""

    tenant_id: str
    forget_s: float
    """Unix seconds at which it is forgotten, if no turn waits then."""
    turns: int = 0
    """How many there were, those that wait included."""
    running: int = 0
    """The turn that the next one waits for; 0: none."""
    until_s: float = 0.0
    """Unix seconds until which it is waited for."""
    waiting: list[int] = field(default_factory=list)
    """Turns that have not begun, in their order."""
    starts: dict[str, int] = field(default_factory=dict)
    """The last runs, and those that wait -> the numbers of their turns."""
    variables: dict[str, Written] = field(default_factory=dict)

    def encode(self) -> tuple[bytes, bytes]:
        """Its first row, which begins with the time so that it is read without the rest; its variables."""
        due_s = self.until_s if self.waiting else self.forget_s
        head = [getattr(self, name) for name in _HEAD]
        return _DUE.pack(due_s) + orjson.dumps(head), orjson.dumps(self.variables)

    @classmethod
    def decode(cls, row: bytes, variables: bytes = b"{}") -> "Remembered":
        """The inverse of `encode`."""
        head = dict(zip(_HEAD, orjson.loads(row[_DUE.size :]), strict=True))
        written = {name: (turn, step, value) for name, (turn, step, value) in orjson.loads(variables).items()}
        return cls(**head, variables=written)

    def number(self, run_id: str) -> int:
        """Of the run's turn, from 1; a run that was here before keeps its own."""
        if run_id not in self.starts:
            self.turns += 1
            self.starts[run_id] = self.turns
        return self.starts[run_id]

    def may_begin(self, turn: int) -> bool:
        """Whether no other turn has to end first."""
        return self.running in (0, turn)

    def begin(self, turn: int, until_s: float) -> None:
        """From now on others wait for it."""
        self.running, self.until_s = turn, until_s
        self.starts = {run_id: number for run_id, number in self.starts.items() if number > turn - STARTS}

    def wait(self, turn: int) -> None:
        """It comes after those that wait already."""
        if turn not in self.waiting:
            self.waiting.append(turn)

    def go_on(self, until_s: float) -> int | None:
        """The turn under way is over. The one that is next, if one waits: only it may begin now."""
        self.running = self.waiting.pop(0) if self.waiting else 0
        self.until_s = until_s
        return self.running or None

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
    """When the conversation is forgotten, or its next turn begins anyway. The other rows go with it."""
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


def waiting_key(key: str, turn: int) -> str:
    """Where the start of a turn that waits is kept."""
    return f"{key}{BREAK}w{turn:010}"


def turns_of(key: str, keys: Iterable[str]) -> list[str]:
    """The keys of its turns among those under the conversation, the oldest first."""
    return sorted(one for one in keys if one.startswith(f"{key}{BREAK}t"))


def _fits(variable: Mapping[str, Any], value: Any) -> bool:
    """Whether the value is still one of the type that the workflow declares."""
    try:
        return bool(coerce(ValueType(str(variable.get("value_type"))), value) == value)
    except ValueError:
        return False
