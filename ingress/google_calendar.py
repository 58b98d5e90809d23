"""`POST /api/v1/google/calendar/{trigger_id}`: Google says that a calendar has changed, not what."""

import orjson
from aiohttp import web

from ingress.errors import Unauthenticated
from ingress.keys import CODEC, FEED, PRODUCER, SETTINGS
from ingress.operation import EVENTS, Operation
from schemas.ids import now_us
from schemas.triggers.google_calendar import CALENDAR_PATH, GoogleCalendarConfig, is_channel_token
from transport.producer import Send

_FIRST = "sync"
"""`X-Goog-Resource-State` of the message that only says that the channel is there."""


async def receive(request: web.Request) -> web.Response:
    """200 when whoever watches the calendar will look at it."""
    trigger_id = request.match_info["trigger_id"]
    trigger = request.app[FEED].definitions.triggers.head(trigger_id)
    secret, given = request.app[SETTINGS].secret_key, request.headers.get("X-Goog-Channel-Token", "")
    is_ours = secret is not None and is_channel_token(secret.get_secret_value(), trigger_id, given)
    if not is_ours or trigger is None or trigger.type != GoogleCalendarConfig.type:
        raise Unauthenticated("X-Goog-Channel-Token is not that of a channel of this trigger")
    if request.headers.get("X-Goog-Resource-State") != _FIRST:
        record = {
            "source_id": trigger_id,
            "kind": "LOOK",
            "tenant_id": trigger.tenant_id,
            "issued_at": now_us(),
            "payload": orjson.dumps({}).decode(),
        }
        value = request.app[CODEC].encode("SourceCommand", record)
        await request.app[PRODUCER].send(Send("source.commands", trigger_id.encode(), value))
    return web.Response()


OPERATIONS = (
    Operation(
        method="POST",
        path=CALENDAR_PATH + "/{trigger_id}",
        handler=receive,
        summary="Say that a Google calendar has changed",
        tag=EVENTS,
        status=200,
        errors=(401,),
        public=True,
    ),
)
