"""`/api/v1/runs/export` and `/api/v1/trigger-logs/export`: what a search finds, as a file.

The file is sent while it is read, a page at a time: neither side keeps more than some MB of it. What goes
wrong before the first page is a problem document; after that the connection is cut, so that half a file is
never taken for a whole one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Malformed, Problem, Unavailable
from ingress.exporting.formats import FORMATS, Encoded, Format, Writer
from ingress.exporting.kinds import KINDS, LOGS, RUNS, Kind
from ingress.exporting.pages import Export
from ingress.operation import Operation, Query
from ingress.reading import clickhouse, filter_of, search_query
from schemas.search import Filter, LogFilter, RunFilter
from transport.errors import TransportError

_log = logging.getLogger(__name__)

_AT_ONCE = 2
"""Exports that one process makes: each may keep one of the few queries busy that it can have under way."""
_WAIT_S = 30
_STALLED_S = 60.0
"""Whoever reads nothing for so long makes room for others."""

_T = TypeVar("_T")


class _Slots:
    """How many are under way."""

    def __init__(self, number: int) -> None:
        self._free = number

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises `Unavailable` where none is free."""
        if not self._free:
            raise Unavailable(f"{_AT_ONCE} exports are under way here; send it again", _WAIT_S)
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


_slots = _Slots(_AT_ONCE)


async def export_runs(request: web.Request) -> web.StreamResponse:
    """The runs that fit, or what belongs to them, as a file. The newest day comes first; within a day, rows
    are sorted by app and workflow. What is too large for the history is a summary here, as in lists."""
    kind = _chosen(request, "what", KINDS, RUNS.name)
    return await _export(request, kind, filter_of(request, RunFilter, "format", "what"))


async def export_logs(request: web.Request) -> web.StreamResponse:
    """The trigger logs that fit, as a file, likewise."""
    return await _export(request, LOGS, filter_of(request, LogFilter, "format"))


async def _export(request: web.Request, kind: Kind, chosen: Filter) -> web.StreamResponse:
    file_format = _chosen(request, "format", FORMATS, "csv")
    history, now = clickhouse(request), datetime.now(UTC)
    with _slots.one():
        export = Export(history, kind, chosen, request[CALLER].tenant_id, now=now)
        outline = await export.outline()
        writer = file_format.open(kind)
        pages = export.pages(outline, writer)
        first = await anext(pages)
        response = web.StreamResponse(headers=_headers(kind, file_format, now, outline.rows))
        await response.prepare(request)
        try:
            await _send(response, first, pages, writer)
        except (TransportError, Problem, TimeoutError, ConnectionError) as failed:
            # Whoever has gone needs no line.
            if not isinstance(failed, ConnectionError):
                _log.warning("an export of %s breaks off: %s", kind.name, failed or type(failed).__name__)
            if request.transport is not None:
                request.transport.abort()
        return response


async def _send(
    response: web.StreamResponse, first: Encoded, pages: AsyncIterator[Encoded], writer: Writer
) -> None:
    await _write(response, first.content)
    async for page in pages:
        await _write(response, page.content)
    await _write(response, await asyncio.to_thread(writer.end))
    await response.write_eof()


async def _write(response: web.StreamResponse, content: bytes) -> None:
    if content:
        async with asyncio.timeout(_STALLED_S):
            await response.write(content)


def _chosen(request: web.Request, name: str, known: Mapping[str, _T], default: str) -> _T:
    given = request.query.get(name, default)
    if given not in known:
        raise Malformed(f"{name} is one of {', '.join(known)}, not {given!r}")
    return known[given]


def _headers(kind: Kind, file_format: Format, now: datetime, rows: int | None) -> dict[str, str]:
    name = f"{kind.name}-{now:%Y%m%dT%H%M%SZ}.{file_format.suffix}"
    headers = {
        "Content-Type": file_format.content_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return headers if rows is None else {**headers, "Hopline-Rows": str(rows)}


def _named(what: str, known: Iterable[str]) -> str:
    return f"{what}: {', '.join(known)}"


_FORMAT = Query("format", _named("of the file; csv where nothing is said", FORMATS))

OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/runs/export",
        handler=export_runs,
        summary="Export runs",
        tag="runs",
        answer="application/octet-stream",
        query=search_query(
            RunFilter, _FORMAT, Query("what", _named("of the runs; runs where nothing is said", KINDS))
        ),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path="/api/v1/trigger-logs/export",
        handler=export_logs,
        summary="Export trigger logs",
        tag="runs",
        answer="application/octet-stream",
        query=search_query(LogFilter, _FORMAT),
        errors=(400,),
    ),
)
