"""Templates that only put variables into a text: `Order {{ order.id }} of {{ customer }}`, as most are.

Nothing of them needs a compiler, which takes half a millisecond for each: a workflow that is rarely used
would pay it for each of its runs.
"""

import re
from functools import lru_cache

Part = str | tuple[str, ...]
"""A text, or the name of a variable with those of the attributes that lead on from it."""

_NEWLINE = re.compile(r"\r\n|\r|\n")
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}", re.ASCII)
_BEGINS = re.compile(r"\{[{%#]")
_WORDS = frozenset({
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "if", "else", "in", "is", "self",
    "super", "caller", "loop", "varargs", "kwargs", "range", "dict", "cycler", "joiner", "namespace",
})  # fmt: skip
"""What Jinja2 does not, or not always, look for among the variables."""


_KEPT_NAMES = 20_000
"""Split: most templates put the same few variables into their texts."""


def read_simple(source: str) -> tuple[Part, ...] | None:
    """The parts of such a template in their order; None for any other one."""
    lines = _NEWLINE.split(source)
    # As Jinja2 has it: the last line end is not part of the text.
    text = "\n".join(lines[:-1] if not lines[-1] else lines)
    pieces = _VARIABLE.split(text)
    texts: list[str] = pieces[::2]
    names = [_path(name) for name in pieces[1::2]]
    if any(_BEGINS.search(piece) for piece in texts) or any(piece.endswith("{") for piece in texts[:-1]):
        return None
    if any(name[0] in _WORDS for name in names):
        return None
    parts: list[Part] = [texts[0]]
    for name, after in zip(names, texts[1:], strict=True):
        parts += (name, after)
    return tuple(part for part in parts if part)


@lru_cache(_KEPT_NAMES)
def _path(name: str) -> tuple[str, ...]:
    return tuple(name.split("."))
