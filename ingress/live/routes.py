"""`GET /api/v1/runs/{run_id}/events` and `GET /api/v1/runs/events`: what happens, as it happens."""

import uuid
from functools import partial

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Malformed, NotFound
from ingress.keys import LIVE
from ingress.live.filter_stream import FilterStream
from ingress.live.matching import Chosen
from ingress.live.run_stream import RunStream
from ingress.live.streams import LiveStreams, write
from ingress.live.told import Told
from ingress.operation import Operation, Query, admitted, check_tenant
from ingress.reading import filter_of, history, search_query
from schemas.search import RunFilter

_PATH = "/api/v1/runs"
_LAST_ID = "last_event_id"
_LAST_ID_QUERY = Query(_LAST_ID, "from which event on, for those who cannot send the header Last-Event-ID")
_OF_THE_PAST = ("since", "until")


async def of_run(request: web.Request) -> web.StreamResponse:
    """Server-Sent Events of one run: what has happened, then what happens, until it ends. A reader that comes
    back with Last-Event-ID is told the rest, by any server; 204 when it has been told everything."""
    live, tenant_id = request.app[LIVE], request[CALLER].tenant_id
    history(request)
    run_id, told = _run_id(request), _told(request)
    if told.ended:
        return web.Response(status=204)
    assert live.past is not None, "there is a history"
    with live.place_for(tenant_id):
        stream = RunStream(
            live.tail, live.past, run_id=run_id, tenant_id=tenant_id, told=told, max_bytes=live.buffer_bytes
        )
        with live.ended_with_us(stream.listener):
            try:
                first = await stream.open()
                return await write(request, stream, first, partial(_check, request))
            finally:
                await stream.close()


async def of_filter(request: web.Request) -> web.StreamResponse:
    """Server-Sent Events of all runs that fit, from now on, or with Last-Event-ID from where the reader was.
    A condition on what changes in a run (status, error, duration, tokens, outputs) chooses among the events
    of runs, and tells nothing of nodes."""
    live, tenant_id = request.app[LIVE], request[CALLER].tenant_id
    chosen = Chosen(_filter(request), tenant_id)
    if chosen.needs_run:
        history(request)
    with live.place_for(tenant_id):
        return await _follow(request, live, chosen)


async def _follow(request: web.Request, live: LiveStreams, chosen: Chosen) -> web.StreamResponse:
    stream = FilterStream(
        live.tail, live.past, chosen=chosen, last_id=_last_id(request), max_bytes=live.buffer_bytes
    )
    with live.ended_with_us(stream.listener):
        try:
            first = await stream.open()
            check = partial(_check, request)
            return await write(request, stream, first, check, has_gap=stream.has_gap)
        finally:
            await stream.close()


async def _check(request: web.Request) -> None:
    """Raises `Problem` once the key is revoked, or the tenant is being erased. The token of a person is good
    for minutes: it counts when the stream begins."""
    if request[CALLER].is_person:
        check_tenant(request, request[CALLER])
    else:
        await admitted(request, "read")


def _filter(request: web.Request) -> RunFilter:
    for name in _OF_THE_PAST:
        if name in request.query:
            raise Malformed(f"a stream tells what happens from now on: it takes no {name}")
    return filter_of(request, RunFilter, _LAST_ID)


def _run_id(request: web.Request) -> str:
    given = request.match_info["run_id"]
    try:
        return str(uuid.UUID(given))
    except ValueError as wrong:
        raise NotFound(f"no run has the id {given}") from wrong


def _told(request: web.Request) -> Told:
    last_id = _last_id(request)
    try:
        return Told.parse(last_id) if last_id else Told()
    except ValueError as wrong:
        raise Malformed(str(wrong)) from wrong


def _last_id(request: web.Request) -> str:
    """A browser that comes back by itself sends the header, and the address with which it began."""
    return request.headers.get("Last-Event-ID") or request.query.get(_LAST_ID, "")


_STREAM = "text/event-stream"

OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH + "/events",
        handler=of_filter,
        summary="Follow runs as they happen",
        tag="runs",
        answer=_STREAM,
        query=(*(q for q in search_query(RunFilter) if q.name not in _OF_THE_PAST), _LAST_ID_QUERY),
        errors=(400, 429),
    ),
    Operation(
        method="GET",
        path=_PATH + "/{run_id}/events",
        handler=of_run,
        summary="Follow a run as it happens",
        tag="runs",
        answer=_STREAM,
        also=204,
        query=(_LAST_ID_QUERY,),
        errors=(400, 404, 429),
    ),
)
