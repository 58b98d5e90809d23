"""One session with one MCP server, shared by all calls of this worker.

The library's scopes must be left by the task that entered them, and calls come from many: so each session has
a task of its own, which opens it, waits, and closes it.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import httpx2
import orjson
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, ToolListChangedNotification

from schemas.models import ToolProvider
from streams.executors.tools.mcp_transport import GuardedTransport
from streams.executors.tools.reply import ToolSpec

_CLOSE_TIMEOUT_S = 5.0
_MAX_PAGES = 100
_MOST_BYTES = 4 * 1024 * 1024
"""Of the JSON of all tools of a server, which are kept: each page of the list may have 13 MB."""


class McpSession:
    """Opened by the first that asks for its client."""

    def __init__(
        self,
        provider: ToolProvider,
        transport: GuardedTransport,
        *,
        connect_timeout_s: float,
        timeout_s: float,
        max_event_bytes: int,
    ) -> None:
        self._provider = provider
        self.transport = transport
        self._timeout = httpx2.Timeout(timeout_s, connect=connect_timeout_s)
        self._max_event_bytes = max_event_bytes
        self._leaving = asyncio.Event()
        self._opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more when opening fails.
        self._opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
        self._tools: Mapping[str, ToolSpec] | None = None
        self._listed_at = 0.0
        self._task = asyncio.create_task(self._own(), name=f"mcp session with {provider.name}")

    @property
    def alive(self) -> bool:
        """Whether calls may still be made with it. Not, once its connection is lost."""
        return not (self._task.done() or self._leaving.is_set())

    async def client(self) -> Client:
        """Waits until the server has answered. Raises what kept it from doing so."""
        return await asyncio.shield(self._opened)

    async def tools(self, max_age_s: float) -> Mapping[str, ToolSpec]:
        """What the server offers; asked again after `max_age_s`, and when it says that this has changed.
        Raises `ValueError` where that is too much."""
        if self._tools is None or time.monotonic() - self._listed_at > max_age_s:
            listed_at, found = time.monotonic(), await self._list()
            self._tools, self._listed_at = found, listed_at
        return self._tools

    def leave(self) -> None:
        """Begins to close it; calls under way fail."""
        self._leaving.set()

    async def close(self) -> None:
        """Ends the session with the server, within seconds."""
        self.leave()
        _, unfinished = await asyncio.wait([self._task], timeout=_CLOSE_TIMEOUT_S)
        for task in unfinished:
            task.cancel()
        await asyncio.wait([self._task])

    async def _own(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(await self._new_client(stack))
                client.session.validate_tool_result = _as_it_is  # type: ignore[method-assign]
                self._opened.set_result(client)
                await self._leaving.wait()
        except asyncio.CancelledError:
            self._opened.cancel()
            raise
        except Exception as error:
            # Once it is open, callers learn of a lost connection from their own calls.
            if not self._opened.done():
                self._opened.set_exception(_first(error))

    async def _new_client(self, stack: AsyncExitStack) -> Client:
        def new_http(
            headers: dict[str, str] | None = None,
            timeout: httpx2.Timeout | None = None,
            auth: httpx2.Auth | None = None,
        ) -> httpx2.AsyncClient:
            return httpx2.AsyncClient(
                transport=self.transport, headers=headers, timeout=timeout, auth=auth, trust_env=False
            )

        provider = self._provider
        url, headers = provider.url or "", dict(provider.headers)
        channel: AbstractAsyncContextManager[Any]
        if provider.transport == "sse":
            read_s = self._timeout.read or 0
            channel = sse_client(url, headers, timeout=read_s, httpx_client_factory=new_http)
            return Client(channel, mode="legacy", message_handler=self._hear, cache=None)
        http = await stack.enter_async_context(new_http(headers, self._timeout))
        channel = streamable_http_client(url, http_client=http, max_sse_event_size=self._max_event_bytes)
        return Client(channel, message_handler=self._hear, cache=None)

    async def _hear(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self._tools = None

    async def _list(self) -> Mapping[str, ToolSpec]:
        client, found, cursor, size = await self.client(), dict[str, ToolSpec](), None, 0
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                spec = ToolSpec(tool.name, tool.description or tool.title or "", tool.input_schema)
                size += len(orjson.dumps(spec))
                found[spec.name] = spec
            if size > _MOST_BYTES:
                raise ValueError(f"the list of its tools takes more than {_MOST_BYTES} bytes")
            if not (cursor := page.next_cursor):
                break
        return found


async def _as_it_is(name: str, result: CallToolResult) -> None:
    """Takes structured content without a look at its schema, as Dify does. The library would match patterns
    of a stranger with `re`, which stops the whole worker for as long as it takes."""


def _first(error: BaseException) -> BaseException:
    """Groups are how the library's tasks tell of one thing going wrong."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
