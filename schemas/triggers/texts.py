"""Filters on texts: a part of the text, or a regular expression."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.regexes import MAX_CHARS, Regex, compile_regex


class Pattern(BaseModel):
    """Found anywhere in the text; `(?i)` leaves case aside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regex: Annotated[Regex, Field(min_length=1)]


TextFilter = Annotated[str, Field(min_length=1, max_length=MAX_CHARS)] | Pattern
"""A string is looked for anywhere, without regard to case."""


def passes(wanted: TextFilter, texts: Iterable[str]) -> bool:
    """Whether one of the texts has what is wanted."""
    if isinstance(wanted, Pattern):
        expression = compile_regex(wanted.regex)
        return any(expression.search(text) for text in texts)
    part = wanted.casefold()
    return any(part in text.casefold() for text in texts)


def shown(wanted: TextFilter) -> str:
    """For reasons."""
    return f"/{wanted.regex}/" if isinstance(wanted, Pattern) else repr(wanted)
