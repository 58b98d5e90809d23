"""`ANY /triggers/webhook/{webhook_id}`, or a path of its own: a request becomes an event. The hot path."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from ingress.accept import Acceptance, Arrival, iso
from ingress.body import parse_body, read_body
from ingress.capture import capture, capture_query, dump_event
from ingress.errors import Malformed
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.form_files import FormFiles
from ingress.identity import content_identity, delivery_id, named_by, window_ms
from ingress.keys import DOOR, ENDPOINTS, FILES
from ingress.operation import EVENTS, Operation
from ingress.reply import Reply
from ingress.timing import counted
from ingress.wire import Answer
from schemas.event_data import MOST_LEVELS
from schemas.ids import new_id, now_us
from schemas.media import content_type
from schemas.triggers.webhook import WebhookConfig


class Accepted(Answer):
    """The event is durable."""

    trigger_id: str
    """The identity of the event: deliveries with the same one are the same event."""
    duplicate: bool
    """Whether this process has accepted it before within its window."""
    event_id: str
    """This delivery; `event_id` of its trigger logs."""


@counted
async def take(request: EventRequest) -> Ready | web.Response:
    """Answers once the event is durable: 202, 200 for a known duplicate, or as the trigger says."""
    app, headers = request.app, request.headers
    endpoint = app[ENDPOINTS].find(request.match_info["webhook_id"])
    content = content_type(headers.get("Content-Type"))
    endpoint.check_line(request.method, content.media_type, request.body_exists)
    raw = await read_body(request)
    endpoint.check_sender(headers, raw, time.time())
    files = FormFiles(app[FILES], endpoint.trigger.tenant_id) if content.is_form else None
    body = await parse_body(request, content, raw, files.keep if files else None)
    query = capture_query(request.query) if request.query_string else {}
    taken = endpoint.take(query, headers, body, len(raw), files is not None)
    received_at = now_us()
    metadata = {"webhook_id": endpoint.webhook_id, "received_at": iso(received_at)}
    event = capture(request, taken, metadata, endpoint.secret_headers)
    named = named_by(endpoint.naming, event) if endpoint.naming else None
    named = named or delivery_id(headers, endpoint.signed_id)
    trigger_id = named or _content_identity(request, query, body, raw)
    if files is not None:
        files.link()
    arrival = Arrival(
        event_id=new_id(),
        tenant_id=endpoint.trigger.tenant_id,
        trigger_type=WebhookConfig.type,
        index_key=endpoint.webhook_id,
        trigger_id=trigger_id,
        window_ms=window_ms(named is not None, endpoint.window_override_s),
        received_at=received_at,
        time=metadata["received_at"],
        data=dump_event(event),
        source=endpoint.source,
        event_type=headers.get("X-GitHub-Event") or headers.get("ce-type") or "webhook",
        subject=headers.get("ce-subject"),
    )
    acceptance = await app[DOOR].accept(arrival, headers)
    return _answer(endpoint.reply, arrival, acceptance, event)


def _content_identity(request: EventRequest, query: dict[str, Any], body: Any, raw: bytes) -> str:
    line = {"method": request.method, "path": request.path, "query": query}
    try:
        return content_identity(body, raw, line)
    except TypeError as wrong:
        raise Malformed(f"the body is nested too deeply; at most {MOST_LEVELS} levels are taken") from wrong


def _answer(
    reply: Reply | None, arrival: Arrival, acceptance: Acceptance, event: Mapping[str, Any]
) -> Ready | web.Response:
    acknowledgement = {
        "trigger_id": arrival.trigger_id,
        "duplicate": acceptance.duplicate,
        "event_id": arrival.event_id,
    }
    if reply is not None:
        body = reply.body_for(event, **acknowledgement)
        if body is not None:
            return web.Response(status=reply.status, body=body, headers=reply.headers)
    return Ready(200 if acceptance.duplicate else 202, orjson.dumps(acknowledgement))


_ERRORS = (400, 401, 404, 405, 408, 413, 415, 422, 429)

OPERATIONS = tuple(
    Operation(
        method="*",
        path=path,
        door=take,
        summary="Send an event to a webhook trigger",
        tag=EVENTS,
        body="*/*",
        answer=Accepted,
        status=202,
        also=200,
        errors=_ERRORS,
        public=True,
    )
    for path in ("/triggers/webhook/{webhook_id:.+}", "/api/v1/public/webhook/{webhook_id:.+}")
)
