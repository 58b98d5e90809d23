"""The live streams of this ingress: how many there may be, and how one is written."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from aiohttp import web

from ingress.errors import Problem, TooMany, Unavailable
from ingress.live.gathering import Sent
from ingress.live.listener import DRAINING, SLOW_READER, Ending, Listener
from ingress.live.past import Past
from ingress.live.tail import Tail
from ingress.live.wire import block, farewell, gap, heartbeat
from ingress.settings import IngressSettings
from transport.errors import TransportError

_BEAT_S = 15.0
_LOOK_S = 1.0
"""How soon a reader that has gone, or may not read any more, is noticed."""
_STALLED_S = 30.0
"""How long a reader may take nothing at all."""
_FAREWELL_S = 1.0
_RETRY_MS = 1000
_AT_ONCE = 64 * 1024
_FULL_RETRY_S = 5
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache, no-transform",
    # Without it nginx keeps events until it has a buffer full of them.
    "X-Accel-Buffering": "no",
}


class Stream(Protocol):
    """`RunStream` or `FilterStream`, after `open`."""

    listener: Listener

    @property
    def id(self) -> str: ...
    @property
    def is_over(self) -> bool: ...
    async def more(self, timeout_s: float) -> list[Sent]: ...


class LiveStreams:
    """What all streams share. Used on the loop's thread."""

    def __init__(self, settings: IngressSettings, tail: Tail, past: Past | None) -> None:
        """`past`: None where the deployment keeps no history."""
        self.tail = tail
        self.past = past
        self.buffer_bytes = settings.live_buffer_bytes
        self._most = settings.live_streams
        self._most_of_tenant = settings.live_streams_per_tenant
        self._of_tenants: Counter[str] = Counter()
        self._listeners: set[Listener] = set()
        self._is_stopping = False

    @property
    def count(self) -> int:
        """Under way."""
        return self._of_tenants.total()

    @contextmanager
    def place_for(self, tenant_id: str) -> Iterator[None]:
        """One of the streams that there may be. Raises `TooMany`, `Unavailable`."""
        if self._is_stopping or self.count >= self._most:
            raise Unavailable("this server has no room for another stream", _FULL_RETRY_S)
        if self._of_tenants[tenant_id] >= self._most_of_tenant:
            raise TooMany(
                f"your tenant has {self._most_of_tenant} streams open here, and may have no more",
                _FULL_RETRY_S,
            )
        self._of_tenants[tenant_id] += 1
        try:
            yield
        finally:
            self._of_tenants[tenant_id] -= 1
            if not self._of_tenants[tenant_id]:
                del self._of_tenants[tenant_id]

    @contextmanager
    def ended_with_us(self, listener: Listener) -> Iterator[None]:
        """It is told when this server stops."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def stop(self) -> None:
        """Ends all streams, each with its last event, and takes no more."""
        self._is_stopping = True
        for listener in self._listeners:
            listener.end(DRAINING)


Check = Callable[[], Awaitable[None]]
"""Whether the reader may still be told. Raises `Problem`."""


async def write(
    request: web.Request, stream: Stream, first: Sequence[Sent], check: Check, *, has_gap: bool = False
) -> web.StreamResponse:
    """Until the stream is over, its reader has gone or may not read it any more, or the server ends it."""
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    try:
        try:
            await _write_all(request, response, stream, first, check, has_gap)
        except Problem as refused:
            await _part(response, Ending("refused", refused.detail))
        except TransportError as failed:
            await _part(response, Ending("failed", f"{failed}; come back with Last-Event-ID"))
    except (ConnectionError, TimeoutError):
        # Gone, or as good as gone: whatever is buffered for it would stay for ever.
        if request.transport is not None:
            request.transport.abort()
    return response


async def _write_all(
    request: web.Request,
    response: web.StreamResponse,
    stream: Stream,
    sent: Sequence[Sent],
    check: Check,
    has_gap: bool,
) -> None:
    listener = stream.listener
    # A reader that is cut off before the first event comes back to where it began.
    begin = heartbeat(stream.id) if stream.id and not sent else b""
    await response.write(f"retry: {_RETRY_MS}\n\n".encode() + (gap() if has_gap else b"") + begin)
    beat_at, check_at = monotonic() + _BEAT_S, monotonic() + _LOOK_S
    while True:
        if check_at <= monotonic():
            await check()
            check_at = monotonic() + _LOOK_S
        for piece in _pieces(sent):
            if listener.ending is None:
                async with listener.writing(_STALLED_S):
                    await response.write(piece)
        if listener.ending is not None:
            await _part(response, listener.ending)
            return
        if stream.is_over:
            return
        if request.transport is None or request.transport.is_closing():
            return
        if sent:
            beat_at = monotonic() + _BEAT_S
        elif beat_at <= monotonic():
            async with listener.writing(_STALLED_S):
                await response.write(heartbeat(stream.id))
            beat_at = monotonic() + _BEAT_S
        sent = await stream.more(_LOOK_S)


def _pieces(sent: Sequence[Sent]) -> Iterator[bytes]:
    """Several events at a time."""
    blocks: list[bytes] = []
    size = 0
    for event, event_id in sent:
        blocks.append(block(event, event_id))
        size += len(blocks[-1])
        if size >= _AT_ONCE:
            yield b"".join(blocks)
            blocks, size = [], 0
    if blocks:
        yield b"".join(blocks)


async def _part(response: web.StreamResponse, ending: Ending) -> None:
    """The times to come back lie apart, so that not all readers of a server come to the next at once."""
    retry_ms = _RETRY_MS // 2 + random.randrange(_RETRY_MS)  # noqa: S311
    async with asyncio.timeout(_FAREWELL_S if ending is not SLOW_READER else _STALLED_S):
        await response.write(farewell(ending.reason, ending.detail, retry_ms))
        await response.write_eof()
