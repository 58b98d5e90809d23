"""A real HTTP server for the tests: records each request and answers as its path says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    port: int = 0
    received: list[Received] = field(default_factory=list)
    kept_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while `/never` does not answer."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its client closes the connection."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str = "/") -> str:
        return f"http://{self.address}{path}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.received.append(Received(request.method, request.path_qs, headers, await request.read()))
        query = request.query
        if request.path == "/loop":
            return web.Response(status=302, headers={"Location": "/loop"})
        if request.path == "/never":
            self.kept_waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if "redirect" in query:
            status = int(query.get("status", "302"))
            return web.Response(status=status, headers={"Location": query["redirect"]})
        if "size" in query:
            return await self._stream(request, int(query["size"]))
        reply = web.Response(
            body=query.get("body", json.dumps({"ok": True})).encode(),
            status=int(query.get("status", "200")),
            headers={"Content-Type": query.get("type", "application/json"), "X-Seen": "1"},
        )
        reply.headers.add("Set-Cookie", "session=secret")
        if "disposition" in query:
            reply.headers["Content-Disposition"] = query["disposition"]
        return reply

    async def _stream(self, request: web.Request, size: int) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Type": request.query.get("type", "text/plain")})
        reply.enable_compression(web.ContentCoding.gzip)
        await reply.prepare(request)
        for _ in range(size >> 16):
            await reply.write(b"x" * (1 << 16))
        return reply


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def repeating_server() -> AsyncIterator[str]:
    """One that answers with the `Authorization` that it was sent, where no header may be: its URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [sent] = [line for line in head.split(b"\r\n") if line.startswith(b"Authorization")]
        writer.write(b"HTTP/1.1 200 OK\r\nNo header, but " + sent + b"\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"http://{host}:{port}"
