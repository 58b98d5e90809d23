"""A server that stops answers all that it is asked until nobody asks any more; over real connections."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingress.budget import Budget
from ingress.drain import DRAIN, Drain
from ingress.express import connection
from ingress.front import guarded
from ingress.keys import BUDGET
from ingress.metrics import Metrics
from ingress.overload import OVERLOAD, Overload
from ingress.server import serve
from tests.ingress.stand_ins import NewWebhook, StandIns, assemble, new_settings


class Serving:
    """A server that drains. Requests to `/slow` wait for `go_on`."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.drain = Drain()
        self.asked = asyncio.Event()
        app = web.Application(middlewares=[guarded])
        app[DRAIN] = self.drain
        app[BUDGET] = Budget(1 << 20)
        app[OVERLOAD] = Overload(0, Metrics())
        app.router.add_get("/fast", self._fast)
        app.router.add_get("/slow", self._slow)
        self.server = TestServer(app)

    async def _fast(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _slow(self, _: web.Request) -> web.Response:
        self.asked.set()
        await self.go_on.wait()
        return web.Response()


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    made = Serving()
    async with made.server:
        yield made


async def test_a_request_that_comes_on_a_kept_connection_is_answered_and_closes_it(serving: Serving) -> None:
    async with aiohttp.ClientSession(serving.server.make_url("/")) as session:
        async with session.get("/fast") as before:
            assert "Connection" not in before.headers
        finishing = asyncio.create_task(serving.drain.finish(60))
        await asyncio.sleep(0)
        async with session.get("/fast") as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        await asyncio.wait_for(finishing, 30)


async def test_what_is_under_way_is_waited_for(serving: Serving) -> None:
    async with aiohttp.ClientSession(serving.server.make_url("/")) as session:
        asking = asyncio.create_task(session.get("/slow"))
        await serving.asked.wait()
        finishing = asyncio.create_task(serving.drain.finish(60))
        await asyncio.sleep(0.6)
        assert not finishing.done()
        serving.go_on.set()
        async with await asking as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
        await asyncio.wait_for(finishing, 30)


@pytest.mark.parametrize("timeout_s", [0.0, 0.1])
async def test_but_not_longer_than_asked(serving: Serving, timeout_s: float) -> None:
    async with aiohttp.ClientSession(serving.server.make_url("/")) as session:
        asking = asyncio.create_task(session.get("/slow"))
        await serving.asked.wait()
        await asyncio.wait_for(serving.drain.finish(timeout_s), 30)
        assert not asking.done()
        serving.go_on.set()
        (await asking).close()


async def test_a_request_of_which_only_the_head_has_come_is_answered(
    new_webhook: NewWebhook, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the stop fell into the time in which the rest is awaited without aiohttp.
    monkeypatch.setattr(connection, "_PATIENCE_S", 3600)
    given, stopping, listening = new_settings(), asyncio.Event(), asyncio.get_running_loop().create_future()
    path, app = await new_webhook(), assemble(stand_ins, given)
    running = asyncio.create_task(serve(app, given, stopping, ready=listening.set_result))
    reader, writer = await asyncio.open_connection("127.0.0.1", await listening)
    while not app[DRAIN].stopping:
        stopping.set()
        await asyncio.sleep(0)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n".encode())
    await asyncio.sleep(0.6)
    assert not running.done()
    writer.write(b"{}")
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 202 ")
    writer.close()
    await asyncio.wait_for(running, 30)
