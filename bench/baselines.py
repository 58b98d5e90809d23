"""Servers that do less than the ingress, for `bench.ingress`: what aiohttp and a confirmed send cost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import orjson
from aiohttp import web

from transport.producer import Producer, Send
from transport.settings import KafkaSettings

_TOPIC = "trigger.events"


Serve = Callable[[asyncio.Event, Callable[[int], None]], Awaitable[None]]
"""Tells its port once it listens, and ends when the event is set."""


async def bare(stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
    """An aiohttp handler that parses the body and answers."""

    async def handle(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        return _accepted(body["order_id"])

    await _served(_handled_by(handle), stopping, ready)


async def confirmed(stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
    """The same, and its body is sent to Kafka before: the least that a door of aiohttp can do."""

    async def producer(app: web.Application) -> AsyncIterator[None]:
        app[_PRODUCER] = Producer(KafkaSettings())
        yield
        await app[_PRODUCER].close()

    async def handle(request: web.Request) -> web.Response:
        raw = await request.read()
        order_id = orjson.loads(raw)["order_id"]
        await request.app[_PRODUCER].send(Send(_TOPIC, order_id.encode(), raw))
        return _accepted(order_id)

    app = _handled_by(handle)
    app.cleanup_ctx.append(producer)
    await _served(app, stopping, ready)


async def least(stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
    """The same without any HTTP library: only the driver's requests, and nothing of their heads is looked at.
    The least that a door in Python can do."""
    producer = Producer(KafkaSettings())
    server = await asyncio.get_running_loop().create_server(lambda: _Least(producer), "127.0.0.1", 0)
    ready(server.sockets[0].getsockname()[1])
    await stopping.wait()
    server.close()
    await producer.close()


BASELINES: dict[str, Serve] = {"bare": bare, "confirmed": confirmed, "least": least}
"""By the names that the bench's figures have."""


class _Least(asyncio.Protocol):
    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._loop = asyncio.get_running_loop()
        self._under_way: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._under_way = self._loop.create_task(self._answer(data.partition(b"\r\n\r\n")[2]))

    async def _answer(self, body: bytes) -> None:
        order_id = orjson.loads(body)["order_id"]
        await self._producer.send(Send(_TOPIC, order_id.encode(), body))
        answer = _acknowledgement(order_id)
        self._transport.write(
            b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
        )


def _handled_by(handle: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/triggers/webhook/{webhook_id}", handle)
    return app


async def _served(app: web.Application, stopping: asyncio.Event, ready: Callable[[int], None]) -> None:
    """As aiohttp does it, without an access log."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ready(runner.addresses[0][1])
    await stopping.wait()
    await runner.cleanup()


def _accepted(trigger_id: str) -> web.Response:
    return web.Response(status=202, body=_acknowledgement(trigger_id), content_type="application/json")


def _acknowledgement(trigger_id: str) -> bytes:
    return orjson.dumps({"trigger_id": trigger_id, "duplicate": False})


_PRODUCER = web.AppKey("producer", Producer)
