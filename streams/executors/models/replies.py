"""JSON in what a model says: alone, in a code block, between sentences, or nearly JSON."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import orjson
from json_repair import repair_json

from streams.executors.models.reasoning import separated

_FENCE = "```"
_LANGUAGE = re.compile(r"\w*")
_OPENING = re.compile(r"[{\[]")
_MAX_SCANNED_CHARS = 1_000_000
"""Each opening bracket may cost a pass over the text that follows it."""
_MAX_DEPTH = 100
_MAX_MENDED_CHARS = 200_000
"""Of what is repaired: beyond them repairing takes quadratic time, or fails."""


async def find_object(text: str) -> dict[str, Any] | None:
    """The first object that is JSON as it stands, else the one that can be made of it; None without any."""
    # Repairing is pure Python, and slow on a large text: not on the event loop.
    return await asyncio.to_thread(_find, separated(text)[0])


def _find(text: str) -> dict[str, Any] | None:
    for candidate in _candidates(text):
        try:
            value = orjson.loads(candidate)
        except orjson.JSONDecodeError:
            continue
        if (found := _as_object(value)) is not None:
            return found
    return repaired(text)


def repaired(text: str) -> dict[str, Any] | None:
    """The object that can be made of the text from its first brace on. Slow for a large text."""
    start = text.find("{")
    return None if start < 0 else _as_object(mended(text[start:])) or None


def mended(text: str) -> Any:
    """The value that can be made of what is nearly JSON, of several a list of them; None where it is long
    or nested beyond reason. Slow likewise."""
    if len(text) > _MAX_MENDED_CHARS or _depth(text) > _MAX_DEPTH:
        return None
    try:
        return repair_json(text, return_objects=True)
    except (ValueError, RecursionError):
        return None


def _candidates(text: str) -> Iterator[str]:
    yield text
    yield from _blocks(text)
    scanned = 0
    for opening in _OPENING.finditer(text):
        end, closed = _end_of(text, opening.start())
        if closed:
            yield text[opening.start() : end]
        scanned += end - opening.start()
        if scanned > _MAX_SCANNED_CHARS:
            return


def _blocks(text: str) -> Iterator[str]:
    """What stands in code blocks that are closed, without the language after the first fence."""
    for block in text.split(_FENCE)[1:-1:2]:
        yield _LANGUAGE.sub("", block, count=1)


def _end_of(text: str, start: int) -> tuple[int, bool]:
    """Where the brackets that open at `start` are closed, if they are; those within strings do not count."""
    open_brackets, within, escaped = 0, False, False
    for place in range(start, len(text)):
        char = text[place]
        if within:
            within = escaped or char != '"'
            escaped = not escaped and char == "\\"
        elif char == '"':
            within = True
        elif char in "{[":
            open_brackets += 1
        elif char in "}]":
            open_brackets -= 1
            if open_brackets == 0:
                return place + 1, True
    return len(text), False


def _depth(text: str) -> int:
    """Most brackets that may be open at once."""
    depth = deepest = 0
    for bracket in re.findall(r"[{}\[\]]", text):
        depth = depth + 1 if bracket in "{[" else max(depth - 1, 0)
        deepest = max(deepest, depth)
    return deepest


def _as_object(value: Any) -> dict[str, Any] | None:
    """An object, also as the only element of a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None
