"""The kinds of events of the chaos suite: what each starts, how it is sent, and its one right end."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.chaos.receiver import Fate

CALLING = frozenset(
    {"notify", "reserve", "bill", "refund", "decline", "escalate", "ship", "charge", "remind", "hold"}
)
"""Nodes that call the receiver."""

APPS: Mapping[str, str] = {
    "order": "order",
    "queued": "order",
    "notify": "notify",
    "fanout": "fanout",
    "collect": "collect",
    "delay": "delay",
    "hold": "hold",
    "approval": "approval",
    "charge": "charge",
    "resumed": "charge",
    "tick": "tick",
}
"""Name of an app -> its file in `workflows`."""

LONG_S = 7_200
"""A wait that outlasts the suite: it ends when somebody ends it."""


class Way(StrEnum):
    """How an event is sent, and what makes a second delivery of it a duplicate."""

    WEBHOOK = "webhook"
    """The header `webhook-id`."""
    CONTENT = "content"
    """Its content."""
    RETRYING = "retrying"
    """As WEBHOOK; the trigger starts failed runs again."""
    CLOUDEVENTS = "cloudevents"
    """Source and id, in both modes."""
    GITHUB = "github"
    """`X-GitHub-Delivery`; signed."""
    MANUAL = "manual"
    """`Idempotency-Key`."""


class Deed(StrEnum):
    """What somebody does to a run that waits, goes on or has failed."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    RESUME = "resume"
    """From the node that failed on."""


class End(StrEnum):
    """How a run ends."""

    GOOD = "good"
    """SUCCEEDED; PARTIAL_SUCCEEDED where an attempt has failed."""
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run must have come to when all is over."""

    end: End
    nodes: Mapping[str, str]
    """Node id -> the status of its last attempt; there is no other node."""
    rounds: Mapping[str, int] = field(default_factory=dict)
    """Node id -> how often it is executed, for those in an iteration."""


Inputs = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    app: str
    """One of `APPS`."""
    way: Way
    weight: int
    """How many of 1,000 events, about."""
    inputs: Callable[[random.Random], Inputs]
    """Start variables besides `event_id`."""
    plan: Callable[[Inputs], Plan]
    """Of the last run of the event."""
    deed: Deed | None = None
    fails_first: bool = False
    """Its first run fails, and is started again by the trigger, or resumed by somebody."""


def _order(inputs: Inputs) -> Plan:
    size = "large" if inputs["amount"] > 100 else "small"
    return _good("start", "choose", size, f"end_{size}")


def _notify(inputs: Inputs) -> Plan:
    if inputs["fate"] != Fate.REFUSED:
        return _good("start", "notify", "end_notified")
    return Plan(End.GOOD, {**_good("start", "given_up", "end_given_up").nodes, "notify": "exception"})


def _approval(way_out: str, end: str) -> Callable[[Inputs], Plan]:
    def plan(inputs: Inputs) -> Plan:
        ask = "ask_briefly" if inputs["patience"] == "brief" else "ask"
        return _good("start", "choose", ask, way_out, end)

    return plan


def _collect(inputs: Inputs) -> Plan:
    nodes = _good("start", "list", "each", "ship", "end").nodes
    return Plan(End.GOOD, nodes, {"ship": int(inputs["parcels"])})


def _fixed(*names: str) -> Callable[[Inputs], Plan]:
    return lambda _: _good(*names)


def _stopped(*names: str, at: str) -> Callable[[Inputs], Plan]:
    return lambda _: Plan(End.STOPPED, {**_good(*names).nodes, at: "stopped"})


def failed_charge() -> Plan:
    """Of a run that fails, be it the last one or not."""
    return Plan(End.FAILED, {"start": "succeeded", "charge": "failed"})


def _good(*names: str) -> Plan:
    return Plan(End.GOOD, dict.fromkeys(names, "succeeded"))


def _fate(fate: Fate) -> Callable[[random.Random], Inputs]:
    return lambda _: {"fate": fate.value}


def _amount(chance: random.Random) -> Inputs:
    return {"amount": chance.randint(1, 200)}


def _patience(patience: str) -> Callable[[random.Random], Inputs]:
    return lambda _: {"patience": patience}


def _parcels(chance: random.Random) -> Inputs:
    return {"fate": chance.choice((Fate.CALM, Fate.FLAKY)).value, "parcels": chance.randint(1, 5)}


def _seconds(chance: random.Random) -> Inputs:
    return {"seconds": chance.randint(1, 60)}


_CHARGE = ("start", "charge", "end")
_FANOUT = _fixed("start", "reserve", "bill", "write", "join", "end")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("order-webhook", "order", Way.WEBHOOK, 340, _amount, _order),
        Kind("order-content", "order", Way.CONTENT, 60, _amount, _order),
        Kind("order-cloudevents", "order", Way.CLOUDEVENTS, 100, _amount, _order),
        Kind("order-github", "order", Way.GITHUB, 60, _amount, _order),
        Kind("order-manual", "order", Way.MANUAL, 50, _amount, _order),
        Kind("order-queued", "queued", Way.WEBHOOK, 30, _amount, _order),
        Kind("notify-calm", "notify", Way.CLOUDEVENTS, 80, _fate(Fate.CALM), _notify),
        Kind("notify-flaky", "notify", Way.WEBHOOK, 60, _fate(Fate.FLAKY), _notify),
        Kind("notify-refused", "notify", Way.WEBHOOK, 10, _fate(Fate.REFUSED), _notify),
        Kind("fanout-calm", "fanout", Way.GITHUB, 30, _fate(Fate.CALM), _FANOUT),
        Kind("fanout-flaky", "fanout", Way.WEBHOOK, 40, _fate(Fate.FLAKY), _FANOUT),
        Kind("collect", "collect", Way.WEBHOOK, 20, _parcels, _collect),
        Kind("delay", "delay", Way.WEBHOOK, 40, _seconds, _fixed("start", "wait", "remind", "end")),
        Kind("approve", "approval", Way.MANUAL, 20, _patience("long"), _approval("refund", "end_refunded"),
             Deed.APPROVE),
        Kind("reject", "approval", Way.WEBHOOK, 15, _patience("long"), _approval("decline", "end_declined"),
             Deed.REJECT),
        Kind("unanswered", "approval", Way.WEBHOOK, 20, _patience("brief"),
             _approval("escalate", "end_escalated")),
        Kind("cancel-approval", "approval", Way.WEBHOOK, 10, _patience("long"),
             _stopped("start", "choose", at="ask"), Deed.CANCEL),
        Kind("cancel-delay", "delay", Way.WEBHOOK, 10, lambda _: {"seconds": LONG_S},
             _stopped("start", at="wait"), Deed.CANCEL),
        Kind("cancel-call", "hold", Way.WEBHOOK, 10, _fate(Fate.HUNG), _stopped("start", at="hold"),
             Deed.CANCEL),
        Kind("resume-charge", "resumed", Way.WEBHOOK, 10, _fate(Fate.LATE), _fixed(*_CHARGE), Deed.RESUME,
             fails_first=True),
        Kind("charge-again", "charge", Way.RETRYING, 20, _fate(Fate.LATE), _fixed(*_CHARGE),
             fails_first=True),
        Kind("charge-refused", "charge", Way.WEBHOOK, 15, _fate(Fate.REFUSED), lambda _: failed_charge()),
    )
}  # fmt: skip
"""By their names."""
