"""Expressions over events, in the Common Expression Language: https://cel.dev. `event` is TriggerEvent.data.

CEL ends for every input. Its cost is bounded further: one macro may run over the elements of a list, none
within another, so that an expression is at most linear in the event.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_CHARS = 2_000

_COMPLAINT = re.compile(r"ERROR: (.+?)(?: expecting \{.*)?$", re.MULTILINE)
"""The first of the parser's, without the list of all tokens that might stand there."""

_MACRO = r"\.(?:all|exists|exists_one|map|filter)\s*\("
_TOKEN = re.compile(rf"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<macro>{_MACRO})|[()]""")
_ELEMENT = re.compile(rf"{_MACRO}\s*(\w+)\s*,")
"""The name that a macro gives to the element that it looks at."""


class ExpressionFailed(Exception):
    """The event does not have what the expression asks for, or it is of another type."""


class Expression:
    """A compiled expression. Share it: compiling costs far more than evaluating."""

    __slots__ = ("_program", "source")

    def __init__(self, source: str) -> None:
        """Raises `ValueError` for what is no expression, or may cost too much."""
        # Brings a terminal of its own: a tenth of the start of every command, and few ever come here.
        import cel

        if len(source) > MAX_CHARS:
            raise ValueError(f"an expression has at most {MAX_CHARS} characters, not {len(source)}")
        if _nests(source):
            raise ValueError("a macro such as .exists() must not be within another one")
        self.source = source
        try:
            self._program = cel.compile(source)
        except ValueError as wrong:
            raise ValueError(f"{source!r} is no CEL expression: {_complaint(wrong)}") from wrong
        unknown = set(self._program.variables()) - {"event"} - set(_ELEMENT.findall(source))
        if unknown:
            raise ValueError(f"an expression knows `event` alone, not {', '.join(sorted(unknown))}")

    def value(self, event: Mapping[str, Any]) -> Any:
        """What it gives. Raises `ExpressionFailed`."""
        try:
            return self._program.execute({"event": event})
        except (LookupError, ArithmeticError, ValueError, TypeError, RuntimeError) as failed:
            raise ExpressionFailed(f"{self.source!r} cannot be evaluated: {_reason(failed)}") from failed

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Raises `ExpressionFailed`, also for a value that is neither true nor false."""
        value = self.value(event)
        if not isinstance(value, bool):
            raise ExpressionFailed(f"{self.source!r} gives {type(value).__name__}, not true or false")
        return value

    def text(self, event: Mapping[str, Any]) -> str:
        """Its value as a key. Raises `ExpressionFailed`, also for what is no string, number or boolean."""
        value = self.value(event)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str | int | float):
            raise ExpressionFailed(f"{self.source!r} gives {type(value).__name__}, not a string or a number")
        return str(value)


@lru_cache(maxsize=16_384)
def expression(source: str) -> Expression:
    """Compiled once in a process. Raises `ValueError`."""
    return Expression(source)


def _checked(source: str) -> str:
    if source:
        expression(source)
    return source


Cel = Annotated[str, AfterValidator(_checked)]
"""A field that holds an expression; "" is none."""


def _nests(source: str) -> bool:
    """Whether a macro is within the parentheses of another one."""
    inside: list[bool] = []
    for token in _TOKEN.finditer(source):
        if token["macro"]:
            if any(inside):
                return True
            inside.append(True)
        elif token[0] == "(":
            inside.append(False)
        elif token[0] == ")" and inside:
            inside.pop()
    return False


def _complaint(wrong: Exception) -> str:
    found = _COMPLAINT.search(str(wrong))
    return found[1] if found else _first_line(wrong)


def _first_line(wrong: Exception) -> str:
    lines = str(wrong).splitlines()
    return lines[0] if lines else type(wrong).__name__


def _reason(failed: Exception) -> str:
    return f"no such key {failed}" if isinstance(failed, KeyError) else _first_line(failed)
