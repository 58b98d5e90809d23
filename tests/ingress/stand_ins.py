"""An ingress without a broker, for everything that is not about Kafka: real HTTP, memory behind it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from obstore.store import MemoryStore
from pydantic import SecretStr

from ingress.app import Connections, connect, new_app
from ingress.live.tail import Tail
from ingress.outlet import Outlet
from ingress.server import express
from ingress.settings import IngressSettings
from schemas.codec import SingleObjectCodec
from schemas.models import Entity
from transport.clickhouse import ClickHouse
from transport.definitions import Definitions
from transport.errors import SendFailed
from transport.files import FileLinks, FileStore
from transport.producer import Position, Send
from transport.settings import KafkaSettings
from transport.storage import Storage


class _Runner(web.AppRunner):
    @property
    def server(self) -> Any:
        """What makes the protocols."""
        return self._express

    async def setup(self) -> None:
        await super().setup()
        self._express = express(self.app, cast(Any, super().server))

    async def cleanup(self) -> None:
        self._express.close()
        await super().cleanup()


class Server(TestServer):
    """As `ingress.server.serve` serves."""

    async def _make_runner(self, **given: Any) -> _Runner:
        return _Runner(self.app, **given)


Client = TestClient[web.Request, web.Application]
NewWebhook = Callable[..., Awaitable[str]]

API_KEY = "first-key"
SECRET_KEY = "k" * 32
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}

GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"id": "e", "source": "start", "target": "end", "sourceHandle": "source"}],
}


@cache
def _codec() -> SingleObjectCodec:
    """Reading all schemas takes longer than most tests."""
    return SingleObjectCodec()


@dataclass
class Sent:
    """A producer that keeps what it is given, or fails."""

    sends: list[Send] = field(default_factory=list)
    fails: bool = False
    queued: int = 0

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        if self.fails:
            raise SendFailed("Local: Message timed out")
        first = len(self.sends)
        self.sends.extend(sends)
        return [Position(s.topic, 0, first + i) for i, s in enumerate(sends)]

    async def send(self, send: Send) -> Position:
        return (await self.send_all((send,)))[0]

    def events(self) -> list[dict[str, Any]]:
        """The TriggerEvents among it."""
        return [_codec().decode("TriggerEvent", s.value) for s in self.sends if s.topic == "trigger.events"]


@dataclass
class Configured:
    """Feed and store in one: what is put is there."""

    definitions: Definitions = field(default_factory=Definitions)
    unreadable: dict[tuple[str, str], Any] = field(default_factory=dict)

    def offset(self, topic: str) -> int:
        return 7

    async def put(self, topic: str, *entities: Entity) -> None:
        for entity in entities:
            self.definitions.apply(topic, entity.key, entity)

    async def put_all(self, entities: Sequence[tuple[str, Entity]]) -> None:
        for topic, entity in entities:
            await self.put(topic, entity)

    async def delete(self, topic: str, *keys: str) -> None:
        for key in keys:
            self.definitions.apply(topic, key, None)


class Alone:
    """Turns of the only ingress."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def of(self, place: str) -> asyncio.Lock:
        return self._locks.setdefault(place, asyncio.Lock())


@dataclass
class Reachable:
    """A broker that is there, or not."""

    answer: bool = True

    async def reachable(self, timeout_s: float) -> bool:
        return self.answer


@dataclass
class Records:
    """What is on the topics, by topic, partition and offset."""

    kept: dict[tuple[str, int, int], Any] = field(default_factory=dict)

    async def read(self, topic: str, partition: int, offset: int) -> Any:
        return self.kept.get((topic, partition, offset))


@dataclass
class StandIns:
    """What a test looks at behind the HTTP interface."""

    sent: Sent = field(default_factory=Sent)
    configured: Configured = field(default_factory=Configured)
    probe: Reachable = field(default_factory=Reachable)
    records: Records = field(default_factory=Records)
    storage: Storage = field(default_factory=lambda: Storage(MemoryStore()))

    @property
    def files(self) -> FileStore:
        return FileStore(self.storage, FileLinks(SECRET_KEY, "", 60))


def new_settings(**given: Any) -> IngressSettings:
    """Settings of a test, from nothing but `given`. Clients share the loop: none is refused for its delay."""
    defaults = {
        "api_key": SecretStr(API_KEY),
        "secret_key": SecretStr(SECRET_KEY),
        "port": 0,
        "overload_delay_s": 0,
    }
    return IngressSettings.model_validate({**defaults, **given})


def assemble(
    stand_ins: StandIns, settings: IngressSettings, clickhouse: ClickHouse | None = None
) -> web.Application:
    """The application with `stand_ins` in the place of Kafka."""
    app = new_app(settings, stand_ins.storage, clickhouse)
    outlet = Outlet(cast(Any, stand_ins.sent), None)
    kept, sent = stand_ins.configured, stand_ins.sent
    codec = SingleObjectCodec()
    # Connects to nothing while nobody listens.
    tail = Tail(KafkaSettings(), codec)
    parts = (codec, kept, sent, kept, Alone(), stand_ins.probe, outlet, stand_ins.records, tail)
    connect(app, Connections(*cast(Any, parts)))
    return app
