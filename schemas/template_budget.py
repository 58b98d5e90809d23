"""What one rendering of a template may cost: steps taken, and sizes of what is made on the way."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

MAX_CHARS = 400_000
"""Of an output, as in Dify, and of every text and list on the way to it."""

MAX_STEPS = 300_000
"""About one for each round of a loop, each call, and each element that a filter looks at."""

MAX_BITS = 10_000
"""Of an integer."""

_PER_STEP = 64
"""Characters and elements that a method goes through in the time of about one step."""


class TemplateLimit(Exception):
    """A template that does more than is allowed. The message says what."""


class Budget:
    """Steps that are left."""

    __slots__ = ("left", "steps")

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = self.steps = steps

    def spend(self, steps: int) -> None:
        """Raises `TemplateLimit` when there are no more."""
        self.left -= steps
        if self.left < 0:
            raise TemplateLimit(f"takes more than {self.steps} steps")


CURRENT: ContextVar[Budget] = ContextVar("budget")
"""That of the rendering under way."""


def weigh(value: Any) -> None:
    """Spends what it takes to write a value out, which may hold another one many times over."""
    budget = CURRENT.get()
    stack = [value]
    while stack:
        current = stack.pop()
        if isinstance(current, Mapping):
            stack.extend(current.values())
        elif isinstance(current, list | tuple):
            stack.extend(current)
        budget.spend(1 + (len(current) if isinstance(current, str | range) else 0) // _PER_STEP)


def check_length(length: int) -> None:
    """Raises `TemplateLimit` for a text or list that would be too long."""
    if length > MAX_CHARS:
        raise TemplateLimit(f"makes a text or list of more than {MAX_CHARS} elements")


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Before `* ** % +`, whose result can be much larger than what they are given."""
    CURRENT.get().spend(1)
    if operator == "%" and isinstance(left, str):
        _check_format(left)
        weigh(right)
    if operator == "+" and isinstance(left, str | list) and isinstance(right, str | list):
        check_length(len(left) + len(right))
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(operator, left, right)
    elif operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                check_length(len(sequence) * times)


def check_method(owner: str | list[Any] | dict[str, Any], name: str, args: list[Any]) -> None:
    """Before a method of a value is called."""
    budget = CURRENT.get()
    for value in (owner, *args):
        if isinstance(value, str | list | dict | tuple):
            budget.spend(len(value) // _PER_STEP)
    if name == "join" and args:
        check_amplifier(name, args[0], [owner])
    elif name == "extend" and isinstance(owner, list):
        check_length(len(owner) + sum(len(arg) for arg in args if isinstance(arg, list | str | range)))
    else:
        check_amplifier(name, owner, args)


def check_amplifier(name: str, value: Any, args: Sequence[Any]) -> None:
    """Before a filter, or a method of a string, with which a small argument asks for a large result."""
    predict = _RESULT_LENGTH.get(name)
    if predict:
        numbers = [arg for arg in args if isinstance(arg, int)]
        texts = [arg for arg in args if isinstance(arg, str)]
        check_length(predict(value, max(numbers, default=0), texts))


def _check_bits(operator: str, left: int, right: int) -> None:
    bits = 0
    if operator == "*":
        bits = left.bit_length() + right.bit_length()
    elif operator == "**":
        bits = left.bit_length() * abs(right)
    if bits > MAX_BITS:
        raise TemplateLimit(f"makes an integer of more than {MAX_BITS} bits")


_WIDE = re.compile(r"\d{6,}|[%*]\*|%[-+ 0#]*\*|\.\*|\{[^{}]*\{")
"""A width within a format string that has six digits or is an argument."""


def _check_format(template: str) -> None:
    if _WIDE.search(template):
        raise TemplateLimit("formats to a width of six digits or more")


def _formatted(value: Any, _: int, __: Sequence[str]) -> int:
    if isinstance(value, str):
        _check_format(value)
    return 0


def _replaced(value: Any, _: int, texts: Sequence[str]) -> int:
    text = str(value)
    return len(text) + text.count(texts[0]) * len(texts[1]) if len(texts) > 1 else 0


def _joined(value: Any, _: int, texts: Sequence[str]) -> int:
    items = value if isinstance(value, list | tuple) else ()
    separator = max(map(len, texts), default=0)
    return sum(len(item) if isinstance(item, str) else 1 for item in items) + separator * len(items)


def _indented(value: Any, number: int, texts: Sequence[str]) -> int:
    text = str(value)
    return len(text) + (text.count("\n") + 1) * max([number, *map(len, texts)])


def _wrapped(value: Any, number: int, texts: Sequence[str]) -> int:
    return len(str(value)) * (1 + max(map(len, texts), default=0)) // max(number, 1)


def _width(_: Any, number: int, __: Sequence[str]) -> int:
    return number


_RESULT_LENGTH: Mapping[str, Callable[[Any, int, Sequence[str]], int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "batch", "slice"), _width),
    **dict.fromkeys(("format", "format_map"), _formatted),
    "expandtabs": lambda value, number, _: len(value) * max(number, 8),
    "tojson": lambda value, number, _: len(str(value)) * max(number, 1),
    "replace": _replaced,
    "join": _joined,
    "indent": _indented,
    "wordwrap": _wrapped,
}
"""Name of a filter or method -> about how long its result is at most."""
