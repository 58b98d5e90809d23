"""A real server for the tests, with both a retrieval API and the models that a node may ask."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from schemas.models import DEFAULT_TENANT, Dataset, ModelProvider
from schemas.secrets import SecretBox
from streams.executors.catalog import Catalog
from streams.executors.knowledge.executor import KnowledgeRetrievalExecutor
from streams.executors.knowledge.settings import KnowledgeSettings
from streams.executors.knowledge.sources import Sources
from streams.executors.models.finding import Models
from transport.definitions import Definitions
from transport.egress import EgressPolicy
from transport.guarded_session import EgressGuard

BOX = SecretBox(b"k" * 32)
KEY = "kb-123456"

Answer = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Asked:
    path: str
    authorization: str
    body: dict[str, Any]
    key: str | None = None


@dataclass
class Library:
    """Answers by path; a tuple of (status, body) is an answer that is not 200, or of these and headers."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    definitions: Definitions = field(default_factory=Definitions)

    def holds(self, *records: Mapping[str, Any], path: str = "/retrieval") -> None:
        self.answers[path] = lambda _: {"records": list(records)}

    def dataset(self, name: str, **fields: Any) -> Dataset:
        external = {"kind": "external", "endpoint": self.url, "knowledge_id": f"id-of-{name}"}
        if fields.get("kind") == "index":
            external = {}
        one = Dataset(id=f"{name}-id", name=name, **{**external, **fields})
        self.definitions.apply("definitions.datasets", one.id, one)
        return one

    def models(self) -> None:
        """A provider whose models are here."""
        one = ModelProvider(id="m", name="openai", base_url=f"{self.url}/v1", max_retries=0, stream=False)
        self.definitions.apply("definitions.model_providers", one.id, one)

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        self.asked.append(
            Asked(
                request.path,
                request.headers.get("Authorization", ""),
                body,
                request.headers.get("Idempotency-Key"),
            )
        )
        answer = self.answers[request.path](body)
        status, answer, *more = answer if isinstance(answer, tuple) else (200, answer)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        headers = {"Content-Type": "application/json", **(more[0] if more else {})}
        return web.Response(body=content, status=status, headers=headers)


@asynccontextmanager
async def running_library() -> AsyncIterator[Library]:
    library = Library()
    app = web.Application()
    app.router.add_post("/{tail:.*}", library.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        library.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield library
    finally:
        await runner.cleanup()


@asynccontextmanager
async def executor_of(
    library: Library, allow: tuple[str, ...] = ("127.0.0.1",), box: SecretBox | None = BOX
) -> AsyncIterator[KnowledgeRetrievalExecutor]:
    catalog = Catalog(library.definitions, box)
    settings = KnowledgeSettings(url=library.url)
    async with EgressGuard(EgressPolicy(allow)).session() as guarded, aiohttp.ClientSession() as own:
        yield KnowledgeRetrievalExecutor(Sources(catalog, guarded, own, settings), Models(catalog, guarded))


def sealed(**secrets: str) -> dict[str, str]:
    return {name: BOX.encrypt(DEFAULT_TENANT, value) for name, value in secrets.items()}
