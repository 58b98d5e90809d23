"""`/health` (the process lives), `/health/detailed` (what it stands on), `/metrics` (Prometheus)."""

import asyncio

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from ingress.keys import CAN_READ_SECRETS, CLICKHOUSE, FEED, METRICS, OUTLET, PROBE, SECRETS
from ingress.operation import Operation
from ingress.responses import json_answer
from ingress.wire import Answer
from schemas.secrets import SecretBox
from transport.errors import TransportError

_PROBE_TIMEOUT_S = 2.0
_HEALTHY, _DEGRADED, _UNHEALTHY, _ABSENT = "healthy", "degraded", "unhealthy", "absent"


class Health(Answer):
    """The process answers."""

    service: str = "hopline-ingress"
    status: str = _HEALTHY


class Component(Answer):
    """One thing that it stands on."""

    status: str
    detail: str


class DetailedHealth(Health):
    """`unhealthy`, with status 503, when events cannot be accepted; `degraded` when they cannot be read,
    or go to the local disk, or definitions are left out, or secrets cannot be read."""

    components: dict[str, Component]


async def live(_request: web.Request) -> web.Response:
    """For liveness checks: touches nothing."""
    return json_answer(Health())


async def detailed(request: web.Request) -> web.Response:
    """For readiness checks."""
    broker, history = await asyncio.gather(_broker(request), _history(request))
    components = {
        "broker": broker,
        "spool": _spool(request),
        "definitions": _definitions(request),
        "secrets": _secrets(request),
        "history": history,
    }
    reads, sends = history.status != _UNHEALTHY, broker.status == _HEALTHY
    accepts = sends or request.app[OUTLET].has_room
    knows = all(components[name].status != _DEGRADED for name in ("definitions", "secrets"))
    whole = reads and sends and knows
    status = (_HEALTHY if whole else _DEGRADED) if accepts else _UNHEALTHY
    health = DetailedHealth(status=status, components=components)
    return json_answer(health, 200 if accepts else 503)


async def _broker(request: web.Request) -> Component:
    if await request.app[PROBE].reachable(_PROBE_TIMEOUT_S):
        return Component(status=_HEALTHY, detail="answers")
    return Component(status=_UNHEALTHY, detail=f"no answer within {_PROBE_TIMEOUT_S:g} s: see HOPLINE_KAFKA")


def _spool(request: web.Request) -> Component:
    outlet = request.app[OUTLET]
    if outlet.spooled:
        return Component(status=_DEGRADED, detail=f"{outlet.spooled} events wait here for the broker")
    if outlet.has_room:
        return Component(status=_HEALTHY, detail="empty")
    return Component(status=_ABSENT, detail="events are refused while the broker is away: HOPLINE_SPOOL_DIR")


def _definitions(request: web.Request) -> Component:
    feed = request.app[FEED]
    definitions = feed.definitions
    counts = f"{len(definitions.latest)} published workflows, {len(definitions.triggers)} triggers"
    if feed.unreadable:
        left_out = f"{len(feed.unreadable)} that this release cannot read, see the dead letters"
        return Component(status=_DEGRADED, detail=f"{counts}; {left_out}")
    return Component(status=_HEALTHY, detail=counts)


def _secrets(request: web.Request) -> Component:
    box = request.app[SECRETS]
    if not request.app[CAN_READ_SECRETS]:
        return Component(status=_DEGRADED, detail=wrong_key(box))
    if box is None:
        return Component(status=_ABSENT, detail="none can be stored: see HOPLINE_SECRET_KEY")
    return Component(status=_HEALTHY, detail="can be read")


def wrong_key(box: SecretBox | None) -> str:
    """Why `box` can read no secret that is stored."""
    if box is None:
        return "secrets are stored, and HOPLINE_SECRET_KEY is not set"
    return "HOPLINE_SECRET_KEY is not the key that secrets were stored with"


async def _history(request: web.Request) -> Component:
    clickhouse = request.app[CLICKHOUSE]
    if clickhouse is None:
        return Component(status=_ABSENT, detail="this ingress reads none: see HOPLINE_CLICKHOUSE")
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT_S):
            await clickhouse.query("SELECT 1")
    except (TransportError, TimeoutError) as failed:
        return Component(status=_UNHEALTHY, detail=str(failed) or f"no answer within {_PROBE_TIMEOUT_S:g} s")
    return Component(status=_HEALTHY, detail="answers")


async def metrics(request: web.Request) -> web.Response:
    """Prometheus text exposition."""
    body = generate_latest(request.app[METRICS].registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


OPERATIONS = (
    Operation(
        method="GET",
        path="/health",
        handler=live,
        summary="Is the process there",
        tag="operation",
        answer=Health,
        public=True,
    ),
    Operation(
        method="GET",
        path="/health/detailed",
        handler=detailed,
        summary="Can it do its work",
        tag="operation",
        answer=DetailedHealth,
        public=True,
    ),
    Operation(
        method="GET",
        path="/metrics",
        handler=metrics,
        summary="Prometheus metrics",
        tag="operation",
        answer="text/plain",
        public=True,
    ),
)
