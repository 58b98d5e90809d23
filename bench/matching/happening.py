"""What a producer sends, before anything has looked at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event outside. Both sides of the comparison begin with it."""

    kind: str
    tenant_id: str
    at_us: int
    name: str | None
    """The producer's own name for it; None where there is none."""
    body: Json
    """The payload; of a schedule and a manual start nothing."""
    headers: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    """Of a webhook its id, of a schedule the trigger, of a manual start the workflow."""
