"""What may be done at once for what tenants write, templates above all: steps, and sizes of what is made."""

import re
from collections import Counter
from collections.abc import Callable, ItemsView, Iterable, KeysView, Mapping, Sequence, ValuesView
from contextvars import ContextVar
from typing import Any, TypeVar

_T = TypeVar("_T")

MAX_CHARS = 400_000
"""Of an output, as in Dify, and of every text and list on the way to it."""

MAX_STEPS = 300_000
"""Of one template. About one for each round of a loop, each call, and each element that a filter looks at."""

MAX_BITS = 10_000
"""Of an integer."""

PER_STEP = 64
"""Characters and elements that a method goes through in the time of about one step."""

_OBJECTS = 8
"""So many times as much memory as an element of a list takes an entry of a dict, or one made on the way."""

_AROUND = 24
"""Characters of a number, or around what is in a list, at most or nearly so."""

_ELEMENTWISE = frozenset({
    "sort", "unique", "list", "map", "select", "reject", "selectattr", "rejectattr", "batch", "slice",
    "groupby", "min", "max", "random", "join", "sum",
})  # fmt: skip
"""Filters to which a text is a list of its characters."""

_SEQUENCES = (str, bytes, list, tuple)
_CONTAINERS = (list, tuple, dict)


class TooMuchWork(Exception):
    """More is done than is allowed. The message says what, and follows the name of who does it."""


class Budget:
    """Steps that are left."""

    __slots__ = ("_around", "left", "steps")

    def __init__(self, steps: int, around: "Budget | None" = None) -> None:
        """`around`: of all that is done at once, of which this is a part."""
        self._around = around
        self.steps: int = steps if around is None else min(steps, max(around.left, 0))
        self.left: int = self.steps

    @property
    def spent(self) -> int:
        """Steps that were taken."""
        return self.steps - self.left

    def spend(self, steps: int) -> None:
        """Raises `TooMuchWork` when there are no more."""
        self.left -= steps
        if self.left >= 0:
            return
        if self._around is not None and self.steps >= self._around.left:
            raise TooMuchWork(
                f"takes more steps than are left of {self._around.steps} for what a run does at once"
            )
        raise TooMuchWork(f"takes more than {self.steps} steps")


CURRENT: ContextVar[Budget] = ContextVar("budget")
"""That of what is under way."""


def within(steps: int, work: Callable[..., _T], *args: Any) -> _T:
    """What `work` comes to, in so many steps at most. The budget around it spends them too. Raises
    `TooMuchWork`."""
    around = CURRENT.get(None)
    budget = Budget(steps, around)
    token = CURRENT.set(budget)
    try:
        return work(*args)
    finally:
        CURRENT.reset(token)
        if around is not None:
            around.left -= budget.spent


def weigh(value: Any) -> int:
    """Spends what it takes to walk a value, which may hold another one many times over. Returns about how
    long it is when it is written out."""
    budget = CURRENT.get()
    stack, length = [value], 0
    while stack:
        current = stack.pop()
        own = 0
        if isinstance(current, Mapping):
            stack.extend(current.values())
            stack.extend(key for key in current if not isinstance(key, str))
            own = sum(len(key) for key in current if isinstance(key, str))
        elif isinstance(current, list | tuple):
            stack.extend(current)
        elif isinstance(current, str | bytes):
            own = len(current)
        elif isinstance(current, range | KeysView | ValuesView | ItemsView):
            own = _OBJECTS * len(current)
        elif isinstance(current, int):
            own = current.bit_length() // 3
        budget.spend(1 + own // PER_STEP)
        length += own + _AROUND
    return length


def check_filter(name: str, value: Any) -> None:
    """Before a filter that does more than to walk what it is given."""
    if name in _ELEMENTWISE and isinstance(value, str | bytes):
        CURRENT.get().spend(len(value))
    elif name == "pprint":  # looks through all of what is below it at each level
        level = [value]
        while level:
            weigh(level)
            level = [inner for one in level if isinstance(one, _CONTAINERS) for inner in _members(one)]


def _members(value: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def check_length(length: int) -> None:
    """Before a text or list of that length is made. Raises `TooMuchWork` where it would be too long."""
    if length > MAX_CHARS:
        raise TooMuchWork(f"makes a text or list of more than {MAX_CHARS} elements")
    CURRENT.get().spend(max(length, 0) // PER_STEP)


def check_copied(made: Any) -> None:
    """After a part of a text or list has been taken."""
    if isinstance(made, _SEQUENCES):
        CURRENT.get().spend(len(made) // PER_STEP)


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Before `* ** % +`, whose result can be much larger than what they are given."""
    CURRENT.get().spend(1)
    if operator == "%" and isinstance(left, str | bytes):
        check_format(left, right)
    elif operator == "+" and isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        check_length(len(left) + len(right))
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(operator, left, right)
    elif operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, _SEQUENCES) and isinstance(times, int):
                check_length(len(sequence) * times)


def check_comparison(operator: str, left: Any, right: Any) -> None:
    """Before `==`, `<`, `in` and their kin. What both sides hold many times over is compared as often."""
    if operator in ("in", "notin"):
        if isinstance(left, _CONTAINERS):
            weigh((left, right))
        elif isinstance(right, _SEQUENCES):
            times = 1 + len(left) // PER_STEP if isinstance(left, str) and not isinstance(right, str) else 1
            CURRENT.get().spend(len(right) // PER_STEP * times)
    elif isinstance(left, str | bytes) and isinstance(right, str | bytes):
        CURRENT.get().spend(min(len(left), len(right)) // PER_STEP)
    elif not isinstance(left, _CONTAINERS) or not isinstance(right, _CONTAINERS):
        return
    elif operator not in ("eq", "ne") or len(left) == len(right):
        weigh((left, right))


def check_method(owner: Any, name: str, args: list[Any]) -> None:
    """Before a method of a value is called."""
    budget = CURRENT.get()
    for value in (owner, *args):
        if isinstance(value, dict) and (value is not owner or name == "copy"):
            budget.spend(_OBJECTS * len(value) // PER_STEP)
        elif isinstance(value, (*_SEQUENCES, dict)):
            budget.spend(len(value) // PER_STEP)
    if isinstance(owner, dict):
        weigh([arg for arg in args if isinstance(arg, tuple)])  # a key is hashed, and a tuple each time anew
    elif name in ("index", "count", "remove") and args and isinstance(owner, list | tuple):
        check_comparison("in", args[0], owner)
    elif name == "sort":
        weigh(owner)
    elif name == "extend":
        check_length(len(owner) + sum(len(arg) for arg in args if isinstance(arg, (*_SEQUENCES, range))))
    elif name == "join":
        check_amplifier(name, args[0], [owner])
    else:
        check_amplifier(name, owner, args)


def check_amplifier(name: str, value: Any, args: Sequence[Any]) -> None:
    """Before a filter, or a method of a text, with which a small argument asks for a large result."""
    predict = _RESULT_LENGTH.get(name)
    if predict:
        numbers = [arg for arg in args if isinstance(arg, int) and not isinstance(arg, bool)]
        texts = [arg for arg in args if isinstance(arg, str | bytes)]
        check_length(predict(value, numbers, texts))


def check_format(template: str | bytes, given: Any) -> None:
    """Before a template of `%`, `format` and `format_map` is filled in."""
    text = template.decode("latin-1") if isinstance(template, bytes) else template
    if _WIDE.search(text):
        raise TooMuchWork("formats to a width of six digits or more")
    fields = [found[0] for found in _FIELD.finditer(text)]
    widths = sum(int(digits) for field in fields for digits in _DIGITS.findall(field))
    named = Counter(name[0] for field in fields if (name := _FIELD_NAME.match(field)))
    # A field without a name takes the next of what is given, a name may stand there any number of times.
    times = max(named.values(), default=1)
    check_length(len(text) + widths + times * weigh(given))


def _check_bits(operator: str, left: int, right: int) -> None:
    bits = 0
    if operator == "*":
        bits = left.bit_length() + right.bit_length()
    elif operator == "**":
        bits = left.bit_length() * abs(right)
    if bits > MAX_BITS:
        raise TooMuchWork(f"makes an integer of more than {MAX_BITS} bits")


_WIDE = re.compile(r"\d{6,}|[%*]\*|%[-+ 0#]*\*|\.\*|\{[^{}]*\{")
"""A width within a format string that has six digits or is an argument."""
_FIELD = re.compile(r"\{[^{}]*\}|%(?:\([^)]*\))?[-+ #0-9.]*")
_FIELD_NAME = re.compile(r"\{\s*[^{}:!.\[]+|%\([^)]*\)")
_DIGITS = re.compile(r"\d+")


def _replaced(value: Any, _: Sequence[int], texts: Sequence[Any]) -> int:
    text = value if isinstance(value, bytes) else str(value)
    return len(text) + max(map(text.count, texts), default=0) * max(map(len, texts), default=0)


def _joined(value: Any, _: Sequence[int], texts: Sequence[Any]) -> int:
    items = value if isinstance(value, list | tuple) else ()
    separator = max(map(len, texts), default=0)
    lengths = (len(item) if isinstance(item, str | bytes) else weigh(item) for item in items)
    return sum(lengths) + separator * len(items)


def _indented(value: Any, numbers: Sequence[int], texts: Sequence[Any]) -> int:
    text = str(value)
    return len(text) + (len(text.splitlines()) + 1) * max([0, *numbers, *map(len, texts)])


def _wrapped(value: Any, numbers: Sequence[int], texts: Sequence[Any]) -> int:
    text = str(value)
    lines = len(text.splitlines()) + 2 * len(text) // max(min(numbers, default=79), 1)
    return len(text) + lines * max(map(len, texts), default=1)


def _linked(value: Any, _: Sequence[int], texts: Sequence[Any]) -> int:
    text = str(value)
    return 2 * len(text) + len(text.split()) * sum(map(len, texts))


def _width(_: Any, numbers: Sequence[int], __: Sequence[Any]) -> int:
    return max(numbers, default=0)


_RESULT_LENGTH: Mapping[str, Callable[[Any, Sequence[int], Sequence[Any]], int]] = {
    **dict.fromkeys(("center", "ljust", "rjust", "zfill", "batch", "slice", "to_bytes"), _width),
    "expandtabs": lambda value, numbers, _: len(value) * max([8, *numbers]),
    "tojson": lambda value, numbers, _: len(str(value)) * max([1, *numbers]),
    "replace": _replaced,
    "join": _joined,
    "indent": _indented,
    "wordwrap": _wrapped,
    "urlize": _linked,
}
"""Name of a filter or method -> about how long its result is at most."""
