"""The ingress's part of a run: from the bytes of a request to those of its answer, without a socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from aiohttp import web
from obstore.store import MemoryStore

from bench.cpu.broker import Confirming, Feed
from ingress.app import Connections, connect, new_app
from ingress.live.tail import Tail
from ingress.outlet import Outlet
from ingress.server import express
from ingress.settings import IngressSettings
from schemas.codec import Codec
from transport.definitions import Definitions
from transport.producer import Producer, Send
from transport.settings import KafkaSettings
from transport.storage import Storage

_STATUS_LINE = b"HTTP/1.1 "
_ACCEPTED = b"HTTP/1.1 202 "


class _Wire(asyncio.Transport):
    """The server's end of a kept-alive connection; what is written is looked at, and gone."""

    def __init__(self, door: "Door") -> None:
        super().__init__({"peername": ("127.0.0.1", 50_000)})
        self._door = door
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._door.written(bytes(data))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True

    def abort(self) -> None:
        self._closing = True

    def pause_reading(self) -> None:
        """The driver sends the next request when it has the answer to the last one."""

    def resume_reading(self) -> None:
        """Likewise."""


class Door:
    """The real ingress behind its own protocols, one connection for each request under way."""

    def __init__(
        self, server: Callable[[], asyncio.Protocol], producer: Confirming, connections: int
    ) -> None:
        self._producer = producer
        self._protocols = [server() for _ in range(connections)]
        self._answers = 0
        self._refused: bytes | None = None
        self._all = asyncio.Event()
        for protocol in self._protocols:
            protocol.connection_made(_Wire(self))

    async def take(self, requests: Sequence[bytes]) -> list[Send]:
        """The events that come of them, one request a connection at most, all at once.

        Raises `AssertionError` for a request that is not accepted: what it costs to refuse is no figure.
        """
        self._answers = len(requests)
        self._all.clear()
        for protocol, request in zip(self._protocols, requests, strict=False):
            protocol.data_received(request)
        await self._all.wait()
        assert self._refused is None, self._refused
        return self._producer.taken()

    def written(self, data: bytes) -> None:
        """Something of an answer."""
        if not data.startswith(_STATUS_LINE):
            return
        if not data.startswith(_ACCEPTED):
            self._refused = data
        self._answers -= 1
        if not self._answers:
            self._all.set()


@asynccontextmanager
async def opened(definitions: Definitions, codec: Codec, connections: int) -> AsyncIterator[Door]:
    """The ingress as `ingress.app.build_app` composes it, with nothing behind it but `bench.cpu.broker`."""
    app = new_app(IngressSettings(), Storage(MemoryStore()), None)
    producer, feed = Confirming(), Feed(definitions)
    outlet = Outlet(cast(Producer, producer), None)
    # A webhook neither changes definitions, nor asks the broker how it is, nor reads records.
    store = turns = probe = records = cast(Any, None)
    tail, sent = Tail(KafkaSettings(), codec), cast(Any, producer)
    connect(app, Connections(codec, cast(Any, feed), sent, store, turns, probe, outlet, records, tail))
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0)
    await runner.setup()
    try:
        assert runner.server is not None, "it has been set up"
        yield Door(express(app, runner.server), producer, connections)
    finally:
        await runner.cleanup()
        await tail.close()
