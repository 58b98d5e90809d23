"""References to variables: selectors such as ["node", "name", "key"], `{{#node.name.key#}}` within text."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Selector = tuple[str, ...]
"""Node id, variable name, then keys into an object."""

MIN_SELECTOR_LENGTH = 2

NAMESPACES = frozenset({"sys", "env", "conversation"})
"""First elements of a selector that are no node."""

_PLACEHOLDER = re.compile(r"\{\{#([a-zA-Z0-9_]{1,50}(?:\.[a-zA-Z_][a-zA-Z0-9_]{0,29}){1,10})#\}\}")
_END = "#}}"
_LOOKS_LIKE_ONE = re.compile(r"\{\{#.*?#\}\}")


class Reference(NamedTuple):
    """Where a node's data refers to a variable."""

    field: str
    """Dotted path within the node's data."""
    selector: Selector


def split(text: str) -> list[str | Selector]:
    """The text as literals and selectors in turn, in order. Empty literals are left out."""
    parts: list[str | Selector] = []
    # re.split with one group alternates: literal, name, literal, name, ..., literal
    for position, part in enumerate(_PLACEHOLDER.split(text)):
        if position % 2:
            parts.append(tuple(part.split(".")))
        elif part:
            parts.append(part)
    return parts


def in_text(field: str, text: str) -> Iterator[Reference]:
    """The references of a text."""
    for part in split(text):
        if isinstance(part, tuple):
            yield Reference(field, part)


def unread(text: str) -> list[str]:
    """What looks like a placeholder but has a form that Dify leaves as it stands."""
    # Each line up to where the last one ends: all that begins there has an end, and is read once.
    closed = (line[: line.rfind(_END) + len(_END)] for line in text.split("\n") if _END in line)
    found = (one for line in closed for one in _LOOKS_LIKE_ONE.findall(line))
    return [one for one in found if not _PLACEHOLDER.fullmatch(one)]


def of(field: str, selector: Sequence[str]) -> Iterator[Reference]:
    """The reference of a value_selector; one that was left empty in the editor refers to nothing."""
    if len(selector) >= MIN_SELECTOR_LENGTH:
        yield Reference(field, tuple(selector))
