"""Opens the toolbox with every kind of provider that there is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from streams.executors.catalog import Catalog
from streams.executors.files import Files
from streams.executors.settings import HttpSettings
from streams.executors.tools.http_source import HttpTools
from streams.executors.tools.mcp_late import LateMcpTools
from streams.executors.tools.settings import ToolSettings
from streams.executors.tools.toolbox import Toolbox
from transport.guarded_session import EgressGuard


@asynccontextmanager
async def open_toolbox(
    catalog: Catalog,
    session: aiohttp.ClientSession,
    guard: EgressGuard,
    files: Files,
    http: HttpSettings,
    settings: ToolSettings,
) -> AsyncIterator[Toolbox]:
    """`session` is the guard's. Sessions with MCP servers end with the block."""
    async with LateMcpTools(session, http, settings) as mcp:
        openapi = HttpTools(session, guard, files, http)
        yield Toolbox(catalog, {"openapi": openapi, "mcp": mcp}, files, settings)
