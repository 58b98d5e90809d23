"""TriggerEvent.data: what an event says, as JSON that whatever is made of it can hold as well."""

from collections.abc import Mapping
from typing import Any

import orjson

MOST_LEVELS = 250
"""Of what was sent. JSON is written with up to 254: a list of events among the inputs of a run is four around
the body of each."""


def dump_data(value: Mapping[str, Any]) -> str:
    """Raises `TypeError` for what JSON cannot hold, and for a member that is deeper than `MOST_LEVELS`."""
    return str(memoryview(orjson.dumps([[[value]]]))[3:-3], "utf-8")
