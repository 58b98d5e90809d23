"""Bytes of earlier releases, and of this one: a directory for each, in the order of their names.

`rows.json`: kind of `samples` -> the bytes, and what was read in them. `messages.json`: topic -> an example
as a message. `runs.json`: name -> the rows of a run under way, and the messages that follow.
"""

from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parent / "recorded"


def releases() -> list[str]:
    """The oldest first; the last one is that of this release."""
    return sorted(path.name for path in FOLDER.iterdir())


def recorded(name: str) -> dict[str, dict[str, Any]]:
    """Release -> what it has of this file. A release that had nothing of the kind is left out."""
    files = {release: FOLDER / release / f"{name}.json" for release in releases()}
    return {release: orjson.loads(path.read_bytes()) for release, path in files.items() if path.exists()}


def newest(name: str) -> dict[str, Any]:
    """Each entry as the last release that has it wrote it."""
    entries: dict[str, Any] = {}
    for found in recorded(name).values():
        entries.update(found)
    return entries
