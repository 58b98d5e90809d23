"""Lets requests that are under way finish while the server stops.

aiohttp's own shutdown ignores whatever arrives once it has begun, so that a request whose body is not all
there yet would get no answer. So the server first stops listening, waits here, and then shuts down.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from ingress.keys import BUDGET

_QUIET_S = 0.25
"""A producer that keeps its connection alive and is at work sends its next request well within it."""


class Drain:
    """Counts the requests under way. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._under_way = 0
        self._answered = 0
        self._idle = asyncio.Event()
        self._stopping = False
        self._told: list[Callable[[], None]] = []

    def when_stopping(self, told: Callable[[], None]) -> None:
        """Called when the server begins to stop: what would go on for ever is to end then."""
        self._told.append(told)

    async def finish(self, timeout_s: float) -> None:
        """Returns when no request is under way and none has come for a moment, or after `timeout_s`.

        From now on each answer closes its connection, so that a producer that keeps one alive goes elsewhere.
        A connection that is closed without an answer may just have brought a request.
        """
        self._stopping = True
        for told in self._told:
            told()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                answered = -1
                while answered != self._answered:
                    answered = self._answered
                    await asyncio.sleep(_QUIET_S)
                    if self._under_way:
                        self._idle.clear()
                        await self._idle.wait()

    async def pass_through(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """One request, from its headers to its answer."""
        self._under_way += 1
        try:
            response = await handler(request)
        finally:
            self._under_way -= 1
            self._answered += 1
            request.app[BUDGET].give_back(request)
            if self._stopping and not self._under_way:
                self._idle.set()
        if self._stopping:
            response.force_close()
        return response


DRAIN = web.AppKey("drain", Drain)


@web.middleware
async def drainable(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The outermost middleware."""
    return await request.app[DRAIN].pass_through(request, handler)
