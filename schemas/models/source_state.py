"""How a source is doing that Hopline watches by itself."""

from typing import Literal

from schemas.models.entity import Entity


class SourceState(Entity):
    """Written by its watcher, when it changes: `id` is that of the trigger, `updated_at` says since when. A
    trigger with several consumers has that of the first."""

    status: Literal["WATCHING", "FAILING"]
    error: str = ""
    """Why it fails; never a secret."""
