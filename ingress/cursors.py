"""Cursors of pages: where the page before has ended, which is for nobody but us to read."""

import base64
from collections.abc import Callable
from typing import TypeVar

from ingress.errors import Malformed

_P = TypeVar("_P")


def new_cursor(place: str) -> str:
    """The place as it is given away."""
    return base64.urlsafe_b64encode(place.encode()).decode()


def read_cursor(given: str, read: Callable[[str], _P]) -> _P:
    """What `read` makes of the place; it raises `ValueError` or `TypeError` for one that is none.

    Raises `Malformed` for what is no cursor, or that of another list.
    """
    try:
        return read(base64.urlsafe_b64decode(given).decode())
    except (ValueError, TypeError) as foreign:
        raise Malformed("the cursor is not one that this API has given") from foreign
