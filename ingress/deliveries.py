"""What providers send to endpoints of theirs: read, handed to the kind of trigger, its events accepted.

The kinds are pure (`schemas.triggers.delivery`). Here is what they need of HTTP.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from aiohttp import web

from ingress.accept import Acceptance, Arrival, iso
from ingress.body import read_body
from ingress.capture import capture_headers, capture_query, dump_event
from ingress.errors import Malformed, Unauthenticated
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.identity import bounded, window_ms
from ingress.keys import DOOR, LIMITS
from ingress.wire import Answer
from schemas.ids import bytes_id, new_id, now_us
from schemas.triggers.delivery import Delivery, NotBelieved, NotUnderstood, Received, ReceivedEvent

EVENT_IDS = "Hopline-Event-Ids"
"""Of an answer whose body is as the provider wants it: `event_id` of its trigger logs."""


class DeliveryAccepted(Answer):
    """Every event of the delivery is durable."""

    trigger_id: str
    """Of the first event; "" where there is none."""
    duplicate: bool
    """Whether this process has accepted all of them before."""
    event_ids: list[str]
    """`event_id` of their trigger logs."""


async def read_delivery(request: EventRequest) -> Delivery:
    """The whole request. Raises `TooLarge`."""
    return Delivery(
        method=request.method,
        path=request.path,
        headers=request.headers,
        query=capture_query(request.query) if request.query_string else {},
        body=await read_body(request),
        received_s=time.time(),
        remote=request.remote,
    )


def limit_endpoint(request: EventRequest, endpoint_id: str) -> None:
    """Counts a request to an address of its own. Raises `TooMany`."""
    if limit := request.app[LIMITS].endpoint(None):
        limit.check(endpoint_id)


@contextmanager
def refusals() -> Iterator[None]:
    """What a kind says of a delivery that it does not take, as `Unauthenticated` or `Malformed`."""
    try:
        yield
    except NotBelieved as wrong:
        raise Unauthenticated(str(wrong), headers={"WWW-Authenticate": "Signature"}) from wrong
    except NotUnderstood as wrong:
        rows = [{"node": None, "field": where, "why": why} for where, why in wrong.problems]
        more: dict[str, Any] = {"errors": rows} if rows else {}
        raise Malformed(str(wrong), **more) from wrong


async def accept_all(request: EventRequest, delivery: Delivery, received: Received) -> Ready | web.Response:
    """Answers once every event is durable. Raises `TooMany`, `TooLarge`, `Unavailable`: then send all of it
    again."""
    for tenant_id, events in Counter(event.tenant_id for event in received.events).items():
        request.app[LIMITS].check_tenant(tenant_id, events)
    arrivals = [_arrival(delivery, event) for event in received.events]
    accepting = [request.app[DOOR].accept(one, request.headers) for one in arrivals]
    # A task for each only where there are several.
    accepted = [await accepting[0]] if len(accepting) == 1 else await asyncio.gather(*accepting)
    if received.reply is not None:
        reply = received.reply
        headers = {"Content-Type": reply.content_type}
        if arrivals:
            headers[EVENT_IDS] = ",".join(one.event_id for one in arrivals)
        return web.Response(status=reply.status, body=reply.body, headers=headers)
    return _answer(arrivals, accepted)


def captured_headers(delivery: Delivery) -> dict[str, str]:
    """What may be kept of them: none that prove who sent it."""
    return capture_headers(delivery.headers)


def _arrival(delivery: Delivery, event: ReceivedEvent) -> Arrival:
    received_at = now_us()
    time_ = iso(received_at)
    named = event.delivery_id
    source = {"ip": delivery.remote, "user_agent": delivery.headers.get("User-Agent")}
    metadata = {**event.data.get("metadata", {}), "received_at": time_}
    return Arrival(
        event_id=new_id(),
        tenant_id=event.tenant_id,
        trigger_type=event.type,
        index_key=event.index_key,
        trigger_id=bounded(named) if named else bytes_id(delivery.body),
        window_ms=window_ms(named is not None, event.window_s),
        received_at=received_at,
        time=time_,
        data=dump_event({"source": source, **event.data, "metadata": metadata}),
        source=event.source,
        event_type=event.event_type,
        subject=event.subject,
        scope=event.scope or f"{event.tenant_id}/{event.index_key}",
    )


def _answer(arrivals: list[Arrival], accepted: list[Acceptance]) -> Ready:
    duplicate = bool(accepted) and all(one.duplicate for one in accepted)
    answer = {
        "trigger_id": arrivals[0].trigger_id if arrivals else "",
        "duplicate": duplicate,
        "event_ids": [one.event_id for one in arrivals],
    }
    return Ready(200 if duplicate else 202, orjson.dumps(answer))
