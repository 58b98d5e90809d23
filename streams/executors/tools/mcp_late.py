"""MCP servers as sources of tools, for workers that may never call one."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from types import TracebackType
from typing import Self

import aiohttp

from schemas.models import ToolProvider
from streams.executors.settings import HttpSettings
from streams.executors.tools.reply import ToolCall, ToolReply, ToolSource, ToolSpec
from streams.executors.tools.settings import ToolSettings


class LateMcpTools:
    """A `ToolSource` as `mcp_source.McpTools`, which it loads when the first MCP server is asked for.

    Its libraries are a third of what a worker loads, in time and memory: each start would wait for them, also
    the one that others wait for after a crash. Sessions with servers end with the block.
    """

    def __init__(self, session: aiohttp.ClientSession, http: HttpSettings, settings: ToolSettings) -> None:
        """The session is a guard's and belongs to the caller."""
        self._session = session
        self._http = http
        self._settings = settings
        self._stack = AsyncExitStack()
        self._loading = asyncio.Lock()
        self._loaded: ToolSource | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def find(self, provider: ToolProvider, credentials: Mapping[str, str], tool: str) -> ToolSpec:
        """See `ToolSource.find`."""
        return await (await self._source()).find(provider, credentials, tool)

    async def all_of(self, provider: ToolProvider, credentials: Mapping[str, str]) -> Sequence[ToolSpec]:
        """See `ToolSource.all_of`."""
        return await (await self._source()).all_of(provider, credentials)

    async def call(self, call: ToolCall) -> ToolReply:
        """See `ToolSource.call`."""
        return await (await self._source()).call(call)

    async def _source(self) -> ToolSource:
        async with self._loading:
            loaded = self._loaded or await self._load()
            self._loaded = loaded
            return loaded

    async def _load(self) -> ToolSource:
        # In a thread: the other runs of the worker go on meanwhile.
        library = await asyncio.to_thread(import_module, "streams.executors.tools.mcp_source")
        tools: ToolSource = await self._stack.enter_async_context(
            library.open_mcp(self._session, self._http, self._settings)
        )
        return tools
