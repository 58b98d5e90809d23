"""Lets requests that are under way finish while the server stops.

aiohttp's own shutdown ignores whatever arrives once it has begun, so that a request whose body is not all
there yet would get no answer. So the server first stops listening, waits here, and then shuts down.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

_QUIET_S = 0.25
"""A producer that keeps its connection alive and is at work sends its next request well within it."""


class Drain:
    """Counts the requests under way. Used on the loop's thread only."""

    def __init__(self) -> None:
        self._under_way = 0
        self._answered = 0
        self._idle = asyncio.Event()
        self.stopping = False
        """Whether each answer closes its connection."""
        self._told: list[Callable[[], None]] = []

    def when_stopping(self, told: Callable[[], None]) -> None:
        """Called when the server begins to stop: what would go on for ever is to end then."""
        self._told.append(told)

    async def finish(self, timeout_s: float) -> None:
        """Returns when no request is under way and none has come for a moment, or after `timeout_s`.

        From now on each answer closes its connection, so that a producer that keeps one alive goes elsewhere.
        A connection that is closed without an answer may just have brought a request.
        """
        self.stopping = True
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

    def begin(self) -> None:
        """The head of a request is there."""
        self._under_way += 1

    def end(self) -> None:
        """It is answered, but for what is written."""
        self._under_way -= 1
        self._answered += 1
        if self.stopping and not self._under_way:
            self._idle.set()


DRAIN = web.AppKey("drain", Drain)
