"""Texts that Python makes of what has none of its own: of a method, `<built-in method items of dict object at
0x7f…>`. The address is another one each time that a command is replayed, so it is left out."""

import re
from types import BuiltinMethodType, FunctionType, GeneratorType, MethodType, NoneType
from typing import Any

from jinja2.runtime import BlockReference
from jinja2.utils import Cycler, Joiner

_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)

_ADDRESSED: tuple[type, ...] = (
    BuiltinMethodType, FunctionType, MethodType, GeneratorType, BlockReference, Cycler, Joiner,
    type(reversed([])), type(reversed("")),
)  # fmt: skip
_PLAIN = frozenset({str, int, float, bool, NoneType})


def worded(value: Any) -> Any:
    """The text of a value that has none of its own; any other one as it is."""
    return _ADDRESS.sub("", str(value)) if isinstance(value, _ADDRESSED) else value


def text_of(value: Any) -> str:
    """What `str` says, the same each time."""
    if type(value) in _PLAIN:
        return str(value)
    text = str(worded(value))
    return _ADDRESS.sub("", text) if " at 0x" in text and _holds_addressed(value) else text


def _holds_addressed(value: Any) -> bool:
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, _ADDRESSED):
            return True
        if isinstance(one, dict):
            pending += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            pending += one
    return False
