"""A real OpenAI-compatible server for the tests: records each request, gives the replies that it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from schemas.models import DEFAULT_TENANT, ModelProvider
from schemas.secrets import SecretBox
from streams.executors.catalog import Catalog
from streams.executors.models.finding import Models
from transport.definitions import Definitions
from transport.egress import EgressPolicy
from transport.guarded_session import EgressGuard

KEY = "sk-1234567890"
BOX = SecretBox(b"k" * 32)
USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200}


@dataclass(frozen=True)
class Reply:
    """An answer. A list of payloads is streamed; `cut`: the connection ends after them."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    endless: bool = False
    """Goes on after the payloads, without another."""


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Endpoint:
    """Answers with `replies` in turn, with the last of them for ever."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    kept_waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while an endless reply goes on."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when its client closes the connection."""

    @property
    def last(self) -> dict[str, Any]:
        return self.asked[-1].body

    def say(self, *texts: str, **more: Any) -> None:
        """Streams each of the texts as a reply, in a chunk for each word."""
        self.replies += [Reply(spoken(text, **more)) for text in texts]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(request.path_qs, headers, json.loads(await request.read())))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply.body, list):
            return await self._stream(request, reply)
        content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(body=content, status=reply.status, headers=headers)

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for payload in reply.body:
            await answer.write(f"data: {json.dumps(payload)}\n\n".encode())
            await asyncio.sleep(0)
        if reply.endless:
            self.kept_waiting.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if reply.cut:
            assert request.transport is not None
            request.transport.abort()
        else:
            await answer.write(b"data: [DONE]\n\n")
        return answer


def spoken(text: str, usage: Mapping[str, int] = USAGE, **delta: Any) -> list[dict[str, Any]]:
    """The chunks of a streamed reply."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    chunks = [{"choices": [{"index": 0, "delta": {"role": "assistant", "content": "", **delta}}]}]
    chunks += [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [*chunks, {"choices": [], "usage": dict(usage)}]


@asynccontextmanager
async def running_endpoint() -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/{tail:.*}", endpoint.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield endpoint
    finally:
        await runner.cleanup()


def provider(base_url: str, name: str = "openai", *, key: str | None = KEY, **fields: Any) -> ModelProvider:
    """As it is stored. It retries at once."""
    credentials = {"api_key": BOX.encrypt(DEFAULT_TENANT, key)} if key else {}
    waits = {"max_retry_wait_s": 0.001, **fields}
    return ModelProvider(id=name, name=name, base_url=base_url, credentials=credentials, **waits)


@asynccontextmanager
async def models_of(
    providers: Iterable[ModelProvider], allow: Iterable[str] = ("127.0.0.1",)
) -> AsyncIterator[Models]:
    definitions = Definitions()
    for one in providers:
        definitions.apply("definitions.model_providers", one.id, one)
    async with EgressGuard(EgressPolicy(allow)).session() as session:
        yield Models(Catalog(definitions, BOX), session)
