"""When the driver stops, and what it notes."""

import itertools
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.connection import Endpoint
from bench.load import closed_loop, open_loop
from bench.orders import orders


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """Accepts every order but those that end in 3."""

    async def take(request: web.Request) -> web.Response:
        return web.Response(status=503 if request.headers["webhook-id"].endswith("3") else 202)

    app = web.Application()
    app.router.add_post("/orders", take)
    async with TestServer(app) as server:
        yield Endpoint(str(server.make_url("/orders")), "webhook-id")


async def test_closed_loop_ends_with_the_orders(endpoint: Endpoint) -> None:
    told: list[str] = []
    source = itertools.islice(orders("b"), 30)
    posted = await closed_loop(endpoint, source, connections=4, seconds=60, on_progress=told.append)
    assert len(posted.sent_at) == 30
    assert len(posted.ack_ms) == 27
    assert posted.refusals == {"503": 3}
    assert told == ["27 accepted"]


async def test_closed_loop_ends_with_the_time(endpoint: Endpoint) -> None:
    posted = await closed_loop(endpoint, orders("b"), connections=2, seconds=0.2, on_progress=lambda _: None)
    assert posted.ack_ms
    assert max(posted.sent_at.values()) - posted.began_at < 0.3


async def test_open_loop_keeps_its_rate(endpoint: Endpoint) -> None:
    posted = await open_loop(endpoint, orders("b"), per_s=50, count=20, on_progress=lambda _: None)
    times = sorted(posted.sent_at.values())
    assert len(times) == 20
    assert 0.3 < times[-1] - times[0] < 1


async def test_nobody_there_is_a_refusal() -> None:
    nobody = Endpoint("http://127.0.0.1:1/orders", "webhook-id")
    posted = await closed_loop(
        nobody, itertools.islice(orders("b"), 2), connections=1, seconds=5, on_progress=lambda _: None
    )
    assert posted.refusals == {"ConnectionRefusedError": 2}
