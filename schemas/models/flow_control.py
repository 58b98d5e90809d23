"""How fast, and whether at all, the triggers of a workflow start it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.expressions import Cel
from schemas.models.entity import Entity

_Seconds = Annotated[float, Field(gt=0, le=30 * 86_400)]


class _Gate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Cel = ""
    """CEL over `event`: events with the same value share the limit. "": all of the workflow do."""


class RateLimit(_Gate):
    """What is over the limit starts nothing, and its log says so."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    """So many at once, then one for each `period_s / limit` seconds (GCRA)."""
    period_s: _Seconds


class Throttle(_Gate):
    """What is over the limit waits for its turn, in order."""

    limit: Annotated[int, Field(ge=1, le=1_000_000)]
    period_s: _Seconds
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """So many may start at once after a rest; then they are `period_s / limit` apart."""
    max_wait_s: _Seconds = 86_400
    """What would wait longer starts nothing."""


class Debounce(_Gate):
    """Of events that come close after each other, one starts a run."""

    period_s: _Seconds
    """Close is nearer than this."""
    mode: Literal["trailing", "leading"] = "trailing"
    """The last one, once there has been rest; or the first one at once."""
    max_wait_s: _Seconds | None = None
    """Trailing: the longest that a first event waits. Leading: the longest that others are left out."""


class Batch(_Gate):
    """Several events start one run, whose input `events` is the list of their inputs."""

    max_size: Annotated[int, Field(ge=2, le=1_000)]
    timeout_s: Annotated[float, Field(gt=0, le=86_400)]
    """After the first event of a batch it starts, however many there are."""


class ManualStarts(BaseModel):
    """Starts by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    require_confirmation: bool = False
    """Whoever starts it says `confirmed`."""
    interval_s: Annotated[float, Field(ge=0, le=86_400)] | None = None
    """A person may start it once in so many seconds; None: as the deployment says."""


class FlowControl(Entity):
    """Of one workflow, under its id. Holds for all its triggers; for starts by hand `manual` alone does.

    They combine in this order: what is held, rate limit, debounce, batch, throttle.
    """

    manual: ManualStarts = ManualStarts()
    paused: Literal["", "hold", "ignore"] = ""
    """Events of a paused workflow are kept until it is resumed, or ignored."""
    rate_limit: RateLimit | None = None
    debounce: Debounce | None = None
    batch: Batch | None = None
    throttle: Throttle | None = None
