"""A connection whose events are answered here, and all else by aiohttp."""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import cast

from aiohttp import web

from ingress.drain import Drain
from ingress.express.lending import Handler, Lent
from ingress.express.reading import Reader, Unread
from ingress.express.request import WholeRequest
from ingress.express.response import written
from ingress.front import answered

_log = logging.getLogger(__name__)

_PATIENCE_S = 0.1
"""For the rest of a request: heads and bodies are often sent one right after the other. aiohttp, which has
time-outs of its own, waits for what takes longer."""

_MOST_AHEAD = 64 * 1024
"""Bytes that are taken of a connection while one of its events is being answered."""

_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Linux's, RFC 5482: how long what is sent may wait for a peer that takes nothing. Without it, who reads no
answers would keep the connection for ever, aiohttp's and those that are closed included."""


class Express:
    """Makes the protocols of the connections of one server."""

    def __init__(
        self, reader: Reader, aiohttp: Callable[[], Handler], drain: Drain, keepalive_timeout_s: float
    ) -> None:
        """`aiohttp`: makes who answers what is no plain event."""
        self.reader = reader
        self.drain = drain
        self.aiohttp = aiohttp
        self.keepalive_timeout_s = keepalive_timeout_s
        self.connections: set[Connection] = set()
        """Those that aiohttp has not taken over."""

    def __call__(self) -> "Connection":
        return Connection(self)

    def close(self) -> None:
        """All connections, once what is under way has been waited for."""
        for connection in list(self.connections):
            connection.close()


class Connection(asyncio.Protocol):
    """One event after the other, in the order in which they come."""

    def __init__(self, express: Express) -> None:
        """It is known to `express` while it is open."""
        self._express = express
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        """None once it is closed, or aiohttp's."""
        self._remote: str | None = None
        self._came = b""
        """What has not been looked at, or is the beginning of a request."""
        self._held = False
        """Whether nothing more is read, since enough has come."""
        self._choked = False
        """Whether nothing is answered, since nobody reads the answers."""
        self._answering: asyncio.Task[None] | None = None
        self._lent: Lent | None = None
        """While one of its requests is answered by aiohttp."""
        self._patience: asyncio.TimerHandle | None = None
        self._idling: asyncio.TimerHandle | None = None
        self._answered_at = self._loop.time()
        """Or when it was made."""
        self._ended = False
        """Whether the peer sends no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._remote = str(peer[0]) if isinstance(peer, tuple | list) else None
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if _USER_TIMEOUT is not None:
                unread_ms = round(1000 * self._express.keepalive_timeout_s)
                connected.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, unread_ms)
        self._express.connections.add(self)
        self._idling = self._loop.call_later(self._express.keepalive_timeout_s, self._close_idle)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._leave()
        if self._lent is not None:
            self._lent.lost(exc)

    def data_received(self, data: bytes) -> None:
        self._came = self._came + data if self._came else data
        if not self._is_busy:
            self._look()
        elif len(self._came) > _MOST_AHEAD and self._transport is not None and not self._held:
            self._held = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """True keeps the connection: who has sent all of its events may still read the answers. aiohttp has
        none for those who are gone, nor would a stream end that nobody reads."""
        self._ended = self._answering is not None
        return self._ended

    def pause_writing(self) -> None:
        self._choked = True
        if self._lent is not None:
            self._lent.handler.pause_writing()

    def resume_writing(self) -> None:
        self._choked = False
        if self._lent is not None:
            self._lent.handler.resume_writing()
        self._go_on()

    def close(self) -> None:
        """Once what has been written is sent. Idempotent."""
        if self._transport is not None:
            self._transport.close()

    @property
    def _is_busy(self) -> bool:
        return self._answering is not None or self._lent is not None or self._choked

    def _look(self) -> None:
        found = self._express.reader.read(self._came, self._remote)
        if found is Unread.OTHER:
            self._hand_over()
            return
        if found is Unread.PART:
            if self._ended:
                self.close()
            elif self._patience is None:
                # A server that stops waits for what aiohttp has begun to answer, and closes all else.
                patience_s = 0.0 if self._express.drain.stopping else _PATIENCE_S
                self._patience = self._loop.call_later(patience_s, self._hand_over)
            return
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        came = self._came
        self._came = came[found.size :]
        if isinstance(found, WholeRequest):
            self._answering = self._loop.create_task(self._answer(found))
        else:
            self._lend(came[: found.size])

    async def _answer(self, request: WholeRequest) -> None:
        try:
            answer = await answered(request, request.door)
            refused = isinstance(answer, web.Response) and answer.keep_alive is False
            last = self._express.drain.stopping or refused
            answer_bytes = written(answer, last=last)
        except Exception:
            _log.exception("the answer to an event at %s cannot be written", request.path)
            answer_bytes, last = b"", True
        self._answering = None
        if self._transport is not None:
            self._transport.write(answer_bytes)
            self._answered(not last)

    def _answered(self, goes_on: bool) -> None:
        self._answered_at = self._loop.time()
        if goes_on:
            self._go_on()
        else:
            self.close()

    def _go_on(self) -> None:
        """With what has come meanwhile."""
        if self._transport is None or self._transport.is_closing() or self._is_busy:
            return
        if self._came:
            self._look()
        elif self._ended:
            self.close()
        self._read_on()

    def _read_on(self) -> None:
        """Unless enough waits for its turn."""
        enough = self._is_busy and len(self._came) > _MOST_AHEAD
        if self._held and self._transport is not None and not enough:
            self._held = False
            self._transport.resume_reading()

    def _lend(self, request: bytes) -> None:
        assert self._transport is not None, "it has brought something"
        self._lent = Lent(self._transport, self._express.aiohttp(), self._returned)
        self._lent.lend(request)

    def _returned(self, goes_on: bool) -> None:
        self._lent = None
        self._answered(goes_on)

    def _hand_over(self) -> None:
        """To aiohttp, for good: nobody else knows where a request ends that it has to read."""
        transport, came = self._transport, self._came
        if transport is None or transport.is_closing():
            return
        self._leave()
        protocol = self._express.aiohttp()
        protocol.connection_made(transport)
        protocol.idle_since(self._answered_at)
        transport.set_protocol(protocol)
        if self._held:
            # First: it may hold the rest back itself.
            transport.resume_reading()
        protocol.data_received(came)

    def _close_idle(self) -> None:
        """Unless it is not."""
        timeout_s = self._express.keepalive_timeout_s
        left_s = self._answered_at + timeout_s - self._loop.time()
        if self._is_busy or left_s > 0:
            self._idling = self._loop.call_later(max(left_s, timeout_s / 10), self._close_idle)
        elif self._patience is not None:
            # It closes it too, unless the head is whole.
            self._hand_over()
        else:
            self.close()

    def _leave(self) -> None:
        self._transport = None
        self._express.connections.discard(self)
        for timer in (self._patience, self._idling):
            if timer is not None:
                timer.cancel()
