"""Dotted paths into JSON values, as trigger definitions use them."""

from collections.abc import Mapping
from typing import Any


def lookup(value: Any, path: str) -> tuple[bool, Any]:
    """(True, what is at the dotted path) or (False, None). A number indexes a list."""
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value
