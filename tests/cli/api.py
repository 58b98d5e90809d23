"""A real HTTP server with canned answers, in a thread of its own."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

RUN_ID = "0b9e2d6c-0000-5000-8000-000000000001"
WORKFLOW = {
    "id": "wf-1",
    "app_id": "app-1",
    "name": "order-review",
    "mode": "workflow",
    "description": "",
    "has_draft": True,
    "published_version": "2026-01-01 00:00:00.000000",
    "updated_at": "2026-01-01T00:00:00Z",
}
RUN = {
    "id": RUN_ID,
    "workflow_id": "wf-1",
    "status": "SUCCEEDED",
    "created_at": "2026-01-01T00:00:00Z",
    "elapsed_time": 0.0123,
    "total_steps": 1,
    "error": None,
}
_CUT = -1
"""No status: the answer breaks off."""


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw_query: str = ""

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class CannedApi:
    """`answers` maps `METHOD /path` to (status, body), or to a list of those that are given in turn."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def says(self, route: str, body: Any, status: int = 200) -> None:
        """The answer from now on."""
        self.answers[route] = (status, body)

    def refuses(self, route: str, status: int, detail: str, **extensions: Any) -> None:
        """A problem document from now on."""
        problem = {"type": "about:blank", "title": "T", "status": status, "detail": detail, **extensions}
        self.answers[route] = (status, problem)

    def breaks_off(self, route: str, beginning: bytes) -> None:
        """An answer that never ends from now on: the connection is cut."""
        self.answers[route] = (_CUT, beginning)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(
            Seen(
                request.method,
                request.raw_path.partition("?")[0],
                dict(request.query),
                dict(request.headers),
                body,
                request.query_string,
            )
        )
        answer = self.answers.get(
            f"{request.method} {request.path}", (404, {"detail": f"nothing is at {request.path}"})
        )
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        status, document = answer
        if status == _CUT:
            return await _cut(request, document)
        if isinstance(document, bytes):
            return web.Response(status=status, body=document)
        return web.Response(status=status, body=b"" if status == 204 else orjson.dumps(document))


async def _cut(request: web.Request, beginning: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(beginning)
    assert request.transport is not None
    request.transport.close()
    return response


@contextmanager
def canned_api() -> Iterator[CannedApi]:
    """Serves on a free port for as long as the block lasts."""
    api = CannedApi()
    loop = asyncio.new_event_loop()

    async def start() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", api.handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield api
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
