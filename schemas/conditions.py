"""Conditions on what a run was given or gave, as they are written in a search: `input.customer.tier=gold`.

    condition = ("input" | "output") path operator value
    path      = { "." name | "[" index from 0 "]" | "[" name in JSON's quotes "]" }
    operator  = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"

A value that reads as a number, `true`, `false` or `null` is that, and the text of it as well; in quotes, as
JSON has them, it is text only. `~` looks for the text anywhere in the value, in letters of either case; it is
the one operator that goes without a path.
"""

import re
from dataclasses import dataclass
from typing import Literal

import orjson

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "~"]
Scalar = str | int | float | bool | None

_CONDITION = re.compile(
    r"\s*(?P<of>input|output)s?"
    r'(?P<path>(?:\.[^.\[\]=!<>~\s"]+|\[\d+\]|\["(?:[^"\\]|\\.)*"\])*)'
    r"\s*(?P<operator>!=|<=|>=|=|<|>|~)(?P<value>.*)",
    re.DOTALL,
)
_STEP = re.compile(r'\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]')
_WORDS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_MAX_STEPS = 20
_MAX_INDEX = 1_000_000
_EXAMPLE = "input.customer.tier=gold, output.items[0].price>=10 or input~refund"


@dataclass(frozen=True, slots=True)
class Condition:
    """One of them. All of a search must hold."""

    of: Literal["input", "output"]
    path: tuple[str | int, ...]
    """Names of members, and positions in lists, from 0."""
    operator: Operator
    value: Scalar
    """What the text of the value reads as."""
    text: str
    """The text itself; what is in the quotes, if it was in quotes."""


def read_condition(written: str) -> Condition:
    """Raises `ValueError`, which says what to write instead."""
    found = _CONDITION.fullmatch(written)
    if found is None:
        raise ValueError(f"{written!r} is no condition like {_EXAMPLE}")
    path = tuple(_steps(found["path"]))
    operator: Operator = found["operator"]  # type: ignore[assignment]
    if not path and operator != "~":
        raise ValueError(f"{written!r} needs a path: {found['of']}.name{operator}value")
    if len(path) > _MAX_STEPS:
        raise ValueError(f"the path of {written!r} has more than {_MAX_STEPS} steps")
    value, text = _read_value(found["value"].strip())
    if operator == "~" and not text:
        raise ValueError(f"{written!r} needs a text to look for")
    if operator in ("<", "<=", ">", ">=") and isinstance(value, bool | None):
        raise ValueError(f"{written!r} compares with {text}, which is neither more nor less than anything")
    return Condition("input" if found["of"] == "input" else "output", path, operator, value, text)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for step in _STEP.finditer(path):
        if step["index"] is not None:
            index = int(step["index"])
            if index > _MAX_INDEX:
                raise ValueError(f"no list has a position {index}")
            steps.append(index)
        else:
            steps.append(step["name"] or _unquoted(step["quoted"]))
    return steps


def _read_value(text: str) -> tuple[Scalar, str]:
    if text.startswith('"'):
        quoted = _unquoted(text)
        return quoted, quoted
    if text in _WORDS:
        return _WORDS[text], text
    if _NUMBER.fullmatch(text):
        number: int | float = orjson.loads(text)
        return number, text
    return text, text


def _unquoted(text: str) -> str:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, str):
        raise ValueError(f"{text} is no text in JSON's quotes")
    return value
