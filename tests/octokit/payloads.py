"""Real payloads of GitHub, see NOTICE."""

import lzma
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_FILE = Path(__file__).parent / "payloads.json.xz"


class Payload(NamedTuple):
    """What GitHub has sent."""

    event: str
    """`X-GitHub-Event`."""
    payload: dict[str, Any]


@lru_cache(maxsize=1)
def payloads() -> tuple[Payload, ...]:
    """All of them; not to be changed."""
    return tuple(Payload(**one) for one in orjson.loads(lzma.decompress(_FILE.read_bytes())))


def of_event(event: str) -> Iterator[dict[str, Any]]:
    """The payloads of one kind of event."""
    return (one.payload for one in payloads() if one.event == event)
