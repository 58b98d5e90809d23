"""Texts with `{{#node.name#}}` in them, compiled."""

from collections.abc import Callable, Iterator
from typing import Any

from schemas.selectors import split
from streams.engine.errors import NodeFailure
from streams.engine.pool import MISSING, Getter, Pool, getter
from streams.engine.values import text as as_text

Text = Callable[[Pool], str]

MAX_CHARS = 32 * 1024 * 1024
"""Of a text, filled in: in a loop one may be put into itself twice, and again in each round."""

_Part = tuple[str, Getter | None]


def compile_text(template: str, show: Callable[[Any], str] = as_text) -> Text:
    """The text as a function of the pool. As in Dify, the name of a variable that does not exist stays.

    The function raises `NodeFailure` for one of more than `MAX_CHARS`, and what getters raise.
    """
    parts = list(_parts(template))
    if not any(get for _, get in parts):
        return lambda _: template

    def fill(pool: Pool) -> str:
        filled: list[str] = []
        chars = 0
        for literal, get in parts:
            value = MISSING if get is None else get(pool)
            piece = literal if value is MISSING else show(value)
            chars += len(piece)
            if chars > MAX_CHARS:
                raise NodeFailure(f"makes a text of more than {MAX_CHARS} characters", "TextTooLong")
            filled.append(piece)
        return "".join(filled)

    return fill


def compile_values(template: str) -> Callable[[Pool], list[Any]]:
    """The values of the variables in a text, in order; those that do not exist are left out."""
    getters = [get for _, get in _parts(template) if get]
    return lambda pool: [value for get in getters if (value := get(pool)) is not MISSING]


def _parts(template: str) -> Iterator[_Part]:
    for part in split(template):
        yield (part, None) if isinstance(part, str) else (".".join(part), getter(part))
