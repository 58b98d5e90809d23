"""Google Calendar: what changes in a calendar, and what begins and ends in it."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from schemas.triggers.config import TriggerConfig
from schemas.triggers.credentials import OAuthRefresh
from schemas.triggers.texts import TextFilter, passes, shown

Kind = Literal["created", "updated", "cancelled", "started", "ended"]

CALENDAR_PATH = "/api/v1/google/calendar"
"""Where Google sends notifications to: with the id of the trigger behind it."""

TIMES: tuple[Kind, ...] = ("started", "ended")


class GoogleCalendarConfig(TriggerConfig):
    """The `config` of a GOOGLE_CALENDAR trigger."""

    type: ClassVar[str] = "GOOGLE_CALENDAR"
    sealed: ClassVar[tuple[str, ...]] = ("oauth.client_secret", "oauth.refresh_token")

    oauth: OAuthRefresh
    """With the scope `https://www.googleapis.com/auth/calendar.readonly`, or `calendar.events.readonly`."""
    calendar_id: str = Field(default="primary", min_length=1, max_length=500)
    events: tuple[Kind, ...] = Field(default=("started",), min_length=1)
    minutes_before: Annotated[int, Field(ge=0, le=40_320)] = 0
    """How much earlier `started` and `ended` come."""
    summary: TextFilter | None = None
    """In the title."""
    check_interval: Annotated[float, Field(ge=1, le=3600)] = 60
    """Seconds between two looks, where Google does not tell of changes."""
    push: bool = True
    """Let Google tell of changes, where the deployment has a public address (https)."""
    api_url: str = Field(default="https://www.googleapis.com/calendar/v3", pattern=r"^https?://[^?#]+$")
    inputs: dict[str, str] = Field(default_factory=dict)
    """Start variable -> dotted path into the event (`body.summary`, `body.start.dateTime`). A start variable
    that is not named here takes the value of that name from the body."""

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """By kind and title."""
        if event["kind"] not in self.events:
            return f"the trigger is not for {event['kind']} events"
        if self.summary is not None and not passes(self.summary, [event["body"].get("summary") or ""]):
            return f"the event does not pass the filter summary: {shown(self.summary)}"
        return None

    def mapping(self) -> Mapping[str, str]:
        """See `inputs`."""
        return self.inputs


def channel_token(secret_key: str, trigger_id: str) -> str:
    """What notifications of a trigger's channels carry (`X-Goog-Channel-Token`): nobody else can make it."""
    key = hmac.digest(secret_key.encode(), b"hopline/calendar-channels", "sha256")
    return hmac.new(key, trigger_id.encode(), hashlib.sha256).hexdigest()


def is_channel_token(secret_key: str, trigger_id: str, given: str) -> bool:
    """In constant time."""
    sent = given.encode("utf-8", "surrogateescape")
    return hmac.compare_digest(channel_token(secret_key, trigger_id).encode(), sent)
