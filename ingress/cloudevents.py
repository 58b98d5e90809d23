"""`POST /api/v1/events`: CloudEvents 1.0 in binary, structured and batched mode."""

from aiohttp import web

from ingress.connections.paths import EVENTS_PATH
from ingress.deliveries import DeliveryAccepted, accept_all, read_delivery, refusals
from ingress.errors import Malformed, UnsupportedMediaType
from ingress.express.request import EventRequest
from ingress.express.response import Ready
from ingress.operation import EVENTS, Operation, admitted
from ingress.timing import counted
from schemas.cloudevents import UnknownFormat
from schemas.models import Permission
from schemas.triggers.cloudevents import receive_cloudevents

_ORIGIN = "WebHook-Request-Origin"
_NEEDED: Permission = "run"


@counted
async def receive(request: EventRequest) -> Ready | web.Response:
    """202 once every event is durable. Of a batch with a bad one nothing is accepted."""
    caller = await admitted(request, _NEEDED)
    delivery = await read_delivery(request)
    try:
        with refusals():
            received = receive_cloudevents(delivery, caller.tenant_id)
    except UnknownFormat as unknown:
        raise UnsupportedMediaType(str(unknown)) from unknown
    return await accept_all(request, delivery, received)


async def consent(request: web.Request) -> web.Response:
    """Whoever has a key may send: that is asked before a source sends to an address that it was given.

    HTTP 1.1 Web Hooks for Event Delivery, section 4 "Abuse Protection".
    """
    origin = request.headers.get(_ORIGIN)
    if not origin:
        raise Malformed(f"{_ORIGIN} is missing: it says who wants to send")
    rate = {"WebHook-Allowed-Rate": "*"} if "WebHook-Request-Rate" in request.headers else {}
    return web.Response(headers={"Allow": "POST", "WebHook-Allowed-Origin": "*", **rate})


OPERATIONS = (
    Operation(
        method="OPTIONS",
        path=EVENTS_PATH,
        handler=consent,
        summary="Ask whether CloudEvents may be sent",
        tag=EVENTS,
        answer="text/plain",
        errors=(400,),
        public=True,
    ),
    Operation(
        method="POST",
        path=EVENTS_PATH,
        door=receive,
        summary="Send CloudEvents",
        tag=EVENTS,
        body="*/*",
        answer=DeliveryAccepted,
        status=202,
        also=200,
        permission=_NEEDED,
        errors=(400, 413, 415),
    ),
)
