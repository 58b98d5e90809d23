"""A worker's sessions with MCP servers: one for each provider, closed when idle and at the worker's end."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Self

from streams.executors.tools.mcp_session import McpSession


class McpPool:
    """Used on one loop."""

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._sessions: dict[Hashable, McpSession] = {}
        """Those that are given out."""
        self._users: Counter[McpSession] = Counter()
        self._idle: dict[McpSession, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._idle.values():
            timer.cancel()
        for session in {*self._sessions.values(), *self._users, *self._idle}:
            self._close(session)
        await asyncio.gather(*self._closing)

    @asynccontextmanager
    async def session(self, key: Hashable, new: Callable[[], McpSession]) -> AsyncIterator[McpSession]:
        """The session kept under `key`, or a new one where there is none that lives."""
        session = self._sessions.get(key)
        if session is None or not session.alive:
            session = self._sessions[key] = new()
        if timer := self._idle.pop(session, None):
            timer.cancel()
        self._users[session] += 1
        try:
            yield session
        finally:
            self._users[session] -= 1
            if not self._users[session]:
                del self._users[session]
                self._released(key, session)

    def discard(self, key: Hashable, session: McpSession) -> None:
        """The next call gets a new one. This one ends with the last of its calls that are under way."""
        if self._sessions.get(key) is session:
            del self._sessions[key]

    def _released(self, key: Hashable, session: McpSession) -> None:
        if self._sessions.get(key) is not session:
            self._close(session)
            return
        loop = asyncio.get_running_loop()
        self._idle[session] = loop.call_later(self._idle_s, self._expire, key, session)

    def _expire(self, key: Hashable, session: McpSession) -> None:
        del self._idle[session]
        self.discard(key, session)
        self._close(session)

    def _close(self, session: McpSession) -> None:
        task = asyncio.create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
