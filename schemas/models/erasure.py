"""A request to erase what a deployment has of one tenant, and what has become of it."""

import math
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from schemas.models.entity import Entity


class ErasureStatus(StrEnum):
    """How far it is."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"


class Erasure(Entity):
    """Of the tenant `tenant_id`. Kept for ever: whoever reads the topics again leaves out what it names."""

    status: ErasureStatus = ErasureStatus.RUNNING
    reason: str = ""
    """As whoever asked for it has said."""
    step: str = "requested"
    """What is being done, in words."""
    worker: str = ""
    """Which process is at work on it; empty while none is."""
    sealed: bool = False
    """Whether what is told of the tenant is left out already; until then, its runs are seen to stop."""
    before: datetime | None = None
    """All that was accepted before is gone, and stays gone. None while it goes on."""
    counts: dict[str, int] = Field(default_factory=dict)
    """What has been deleted: definitions, runs that were stopped, objects, and rows by table."""
    error: str | None = None
    """Why it does not get on; it is tried again."""
    finished_at: datetime | None = None

    @property
    def until_us(self) -> float:
        """What was accepted before, in microseconds since 1970, is left out: infinite while that is deleted,
        0 while runs are given time to stop."""
        if self.before is None:
            return math.inf if self.sealed else 0.0
        return self.before.timestamp() * 1e6
