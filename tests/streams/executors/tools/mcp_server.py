"""A real MCP server for the tests, made with the official library and served over HTTP."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import BlobResourceContents, EmbeddedResource, TextContent
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp, Receive, Scope, Send

PNG = b"\x89PNG\r\n\x1a\n\x00"


class Odd(BaseModel):
    """Is not what its schema says."""

    model_config = ConfigDict(json_schema_extra={"required": ["word", "more"]})

    word: str


@dataclass
class Waits:
    """What became of a call of `wait`."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


def new_server(calls: list[dict[str, Any]], waits: Waits | None = None) -> MCPServer:
    """`calls` receives what each call of `note` brought along."""
    waited = waits or Waits()
    server = MCPServer("notes")

    @server.tool(description="Adds two numbers")
    def add(a: int, b: int = 1) -> int:
        return a + b

    @server.tool(structured_output=False)
    def note(text: str, context: Context) -> str:
        calls.append({"text": text, "meta": dict(context.request_context.meta or {})})
        return f"noted: {text}"

    @server.tool(structured_output=False)
    def say(text: str) -> list[TextContent]:
        return [TextContent(text=text)]

    @server.tool(structured_output=False)
    def draw() -> list[Any]:
        pdf = BlobResourceContents(
            uri="file:///a/b.pdf", mime_type="application/pdf", blob=base64.b64encode(b"%PDF").decode()
        )
        return ["a dot", Image(data=PNG, format="png"), EmbeddedResource(resource=pdf)]

    @server.tool()
    def shape() -> Odd:
        return Odd(word="a")

    @server.tool()
    def fail(why: str) -> str:
        raise ToolError(why)

    @server.tool()
    async def wait() -> str:
        waited.begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            waited.ended.set()
        return "never"

    return server


class Front:
    """What stands before the server: it writes down what is asked of it."""

    def __init__(self, app: ASGIApp, *, era: str) -> None:
        """`era`: `modern`, or `legacy` for a server that knows only the protocols with sessions."""
        self._app = app
        self._era = era
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.queries: list[str] = []
        self._forgotten: set[str | None] = set()
        self.ended = asyncio.Event()
        """Set when a client ends a session."""
        self.redirect: str | None = None
        self.refuses: int | None = None
        """With this status."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.requests.append((scope["method"], headers))
        self.queries.append(scope["query_string"].decode())
        if scope["method"] == "DELETE":
            self.ended.set()
        if self.redirect:
            await _answer(send, 307, [(b"location", self.redirect.encode())])
        elif self.refuses:
            await _answer(send, self.refuses, body=b"keep out")
        elif self._era == "legacy" and headers.get("mcp-protocol-version", "").startswith("2026"):
            await _answer(send, 400)
        elif headers.get("mcp-session-id") in self._forgotten:
            await _answer(send, 404)
        else:
            await self._app(scope, receive, send)

    def forget(self, sessions: Iterable[str | None]) -> None:
        """Knows nothing of these sessions any more, as after a restart."""
        self._forgotten |= set(sessions)

    def count(self, method: str) -> int:
        return sum(one == method for one, _ in self.requests)


async def _answer(send: Send, status: int, headers: Any = (), body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(front: Front) -> AsyncIterator[str]:
    """Its address, for as long as the block lasts."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(front, log_config=None, lifespan="on", ws="none", access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # What `serve` does but for its loop, which looks whether it should stop ten times a second.
    await server.startup(sockets=[listening])
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for connection in list(server.server_state.connections):
            connection.transport.close()  # type: ignore[union-attr]
        await server.shutdown(sockets=[listening])
