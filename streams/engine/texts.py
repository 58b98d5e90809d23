"""Texts with `{{#node.name#}}` in them, compiled."""

from collections.abc import Callable, Iterator
from typing import Any

from schemas.selectors import split
from streams.engine.pool import MISSING, Getter, Pool, getter
from streams.engine.values import text as as_text

Text = Callable[[Pool], str]

_Part = tuple[str, Getter | None]


def compile_text(template: str, show: Callable[[Any], str] = as_text) -> Text:
    """The text as a function of the pool. As in Dify, the name of a variable that does not exist stays."""
    parts = list(_parts(template))
    if not any(get for _, get in parts):
        return lambda _: template

    def fill(pool: Pool) -> str:
        filled: list[str] = []
        for literal, get in parts:
            value = MISSING if get is None else get(pool)
            filled.append(literal if value is MISSING else show(value))
        return "".join(filled)

    return fill


def compile_values(template: str) -> Callable[[Pool], list[Any]]:
    """The values of the variables in a text, in order; those that do not exist are left out."""
    getters = [get for _, get in _parts(template) if get]
    return lambda pool: [value for get in getters if (value := get(pool)) is not MISSING]


def _parts(template: str) -> Iterator[_Part]:
    for part in split(template):
        yield (part, None) if isinstance(part, str) else (".".join(part), getter(part))
