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
        self._users: Counter[McpSession] = Counter()
        self._idle: dict[McpSession, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for timer in self._idle.values():
            timer.cancel()
        await asyncio.gather(*(session.close() for session in self._sessions.values()), *self._closing)
        self._sessions.clear()

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
                loop = asyncio.get_running_loop()
                self._idle[session] = loop.call_later(self._idle_s, self._drop, key, session)

    def discard(self, key: Hashable, session: McpSession) -> None:
        """The next call gets a new one; calls under way end with this one."""
        if self._sessions.get(key) is session:
            del self._sessions[key]
        self._close(session)

    def _drop(self, key: Hashable, session: McpSession) -> None:
        self._idle.pop(session, None)
        self.discard(key, session)

    def _close(self, session: McpSession) -> None:
        task = asyncio.create_task(session.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
