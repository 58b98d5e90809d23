"""A connection that is aiohttp's for one request, and comes back."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import _ErrInfo

from ingress.errors import fault, problem_response

Back = Callable[[bool], None]
"""Told once aiohttp is done, whether the connection can go on."""


class Handler(web.RequestHandler):
    """aiohttp's own, of which is known whether its last answer has been written as it should.

    What it refuses by itself, before the application sees it, is a problem document too.
    """

    __slots__ = ("goes_on",)

    def __init__(self, server: web.Server, **given: Any) -> None:
        super().__init__(server, **given)
        self.goes_on = False
        """Whether the connection may be kept after the last answer."""

    def idle_since(self, at_s: float) -> None:
        """By the loop's clock: nothing has come since then. Until now it is since the connection was made."""
        if self._keepalive_handle is not None:
            self._keepalive_handle.cancel()
            self._next_keepalive_close_time = at_s + self._keepalive_timeout
            self._keepalive_handle = self._loop.call_at(
                self._next_keepalive_close_time, self._process_keepalive
            )

    def data_received(self, data: bytes) -> None:
        """See aiohttp, which leaves the handler waiting for the rest of a body that breaks."""
        super().data_received(data)
        if (
            self._messages
            and isinstance(self._messages[-1][0], _ErrInfo)
            and self._current_request is not None
        ):
            body = self._current_request.content
            if len(self._messages) == 1 and not body.is_eof():
                body.set_exception(web.RequestPayloadError("it breaks off"))

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """See aiohttp: not called for an answer that broke off."""
        if isinstance(resp, web.HTTPError):
            resp = problem_response(resp.status, resp.text or resp.reason, {}, {})
        answer, reset = await super().finish_response(request, resp, start_time)
        self.goes_on = bool(answer.keep_alive) and not reset
        return answer, reset

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """See aiohttp: for what is no HTTP, and for its own faults."""
        super().handle_error(request, status, exc, message)
        answer = problem_response(status, _plain(message), {}, {}) if message else fault(status)
        answer.force_close()
        return answer


def _plain(message: str) -> str:
    """In one line. The parser writes below the damaged line an arrow that points at the place."""
    lines = (line.strip() for line in message.splitlines())
    return "the request is not HTTP as it should be: " + " ".join(line for line in lines if line.strip("^"))


class Lent(asyncio.Transport):
    """What aiohttp has in the place of the connection: closing it gives that back."""

    def __init__(self, connection: asyncio.Transport, handler: Handler, back: Back) -> None:
        super().__init__()
        self._connection = connection
        self.handler = handler
        self._back: Back | None = back

    def lend(self, request: bytes) -> None:
        """`request`: one that is whole. It is the only one, hence nothing but its end closes this."""
        self.handler.connection_made(self)
        self.handler.data_received(request)
        self.handler.close()

    def lost(self, reason: BaseException | None) -> None:
        """The connection is gone."""
        self._back = None
        self.handler.connection_lost(reason)

    def close(self) -> None:
        back, self._back = self._back, None
        if back is not None:
            goes_on = self.handler.goes_on
            self.handler.connection_lost(None)
            back(goes_on)

    def abort(self) -> None:
        self._connection.abort()

    def is_closing(self) -> bool:
        return self._back is None or self._connection.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._connection.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._connection.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self._connection.writelines(list_of_data)

    def pause_reading(self) -> None:
        """The request is whole: nothing more of it is to come."""

    def resume_reading(self) -> None:
        """Likewise."""
