"""JSON in what a model says: alone, in a code block, between sentences, or nearly JSON."""

import asyncio
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from json_repair import repair_json

from streams.executors.models.reasoning import separated

_BLOCK = re.compile(r"```(?:\w+)?\s*\n?(.*?)```", re.DOTALL)
_OPENING = re.compile(r"[{\[]")
_MOST = 100
"""Brackets that are looked at: each may cost a pass over the text."""


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
    start = text.find("{")
    return None if start < 0 else _as_object(repair_json(text[start:], return_objects=True)) or None


def _candidates(text: str) -> Iterator[str]:
    yield text
    yield from _BLOCK.findall(text)
    for opening in islice(_OPENING.finditer(text), _MOST):
        end = _end_of(text, opening.start())
        if end is not None:
            yield text[opening.start() : end]


def _end_of(text: str, start: int) -> int | None:
    """Where the brackets that open at `start` are closed; those within strings do not count."""
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
                return place + 1
    return None


def _as_object(value: Any) -> dict[str, Any] | None:
    """An object, also as the only element of a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None
