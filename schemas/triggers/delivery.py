"""A request to the endpoint of a provider, and what is made of it. Pure: no kind of trigger knows of HTTP."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


class NotBelieved(Exception):
    """The request does not prove who sent it: 401. The message says what to look at, never a secret."""


class NotUnderstood(Exception):
    """The request is none of this provider's: 400. The message says why."""

    def __init__(self, message: str, problems: Iterable[tuple[str, str]] = ()) -> None:
        """`problems`: (where, why), where there is more to say."""
        super().__init__(message)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    query: Mapping[str, Any]
    body: bytes
    received_s: float
    """Seconds since the epoch, by this machine's clock."""
    remote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEvent:
    """An event in a delivery, fit to be accepted for a tenant."""

    tenant_id: str
    type: str
    """Of the triggers that may want it: `TriggerConfig.type`."""
    index_key: str
    event_type: str
    """CloudEvents type: what has happened, in the provider's words."""
    source: str
    """CloudEvents source: a URI reference to where it has happened."""
    data: Mapping[str, Any]
    """What the workflow gets, and filters look at: `body`, `headers`, `metadata` and the like."""
    delivery_id: str | None = None
    """The provider's own name for the delivery; None where its content stands for it."""
    window_s: float | None = None
    """How long an equal delivery is a duplicate; None: 24 h for an id, 30 s for content."""
    subject: str | None = None
    scope: str | None = None
    """Within which `delivery_id` names the event; None: its tenant and index key."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider wants to hear, where that is not 202 and the trigger_id."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Received:
    """What is in a delivery: any number of events, and the answer."""

    events: tuple[ReceivedEvent, ...] = ()
    reply: Reply | None = None
