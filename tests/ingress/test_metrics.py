"""What the ingress counts of its own API, as a scrape shows it."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingress.errors import NotFound
from ingress.keys import METRICS
from ingress.metrics import Metrics
from ingress.timing import timed
from tests.ingress.stand_ins import AUTHORIZED, Client, NewWebhook
from transport.errors import BrokerUnreachable


async def scrape(client: Client) -> str:
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_answers_of_the_api_are_counted_and_timed_by_tag(
    client: Client, new_webhook: NewWebhook
) -> None:
    path = await new_webhook()
    async with client.post(path, json={}) as answer:
        assert answer.status == 202
    for headers, status in ((AUTHORIZED, 404), ({}, 401)):
        async with client.get("/api/v1/triggers/absent", headers=headers) as answer:
            assert answer.status == status
    shown = await scrape(client)
    for line in (
        'hopline_api_requests_total{status="201",tag="workflows"} 1.0',
        'hopline_api_requests_total{status="201",tag="triggers"} 1.0',
        'hopline_api_requests_total{status="404",tag="triggers"} 1.0',
        'hopline_api_requests_total{status="401",tag="triggers"} 1.0',
        'hopline_api_seconds_count{tag="triggers"} 3.0',
        'hopline_ingress_triggers{type="WEBHOOK"} 1.0',
        "hopline_ingress_inflight_limit_bytes 1.34217728e+08",
        "hopline_ingress_spool_limit_bytes 0.0",
    ):
        assert line in shown, line
    assert 'tag="events"' not in shown, "doors count for themselves"
    assert re.search(r'hopline_build_info{.*role="ingress".*} 1\.0', shown)
    assert "hopline_event_loop_delay_seconds_count" in shown


async def test_a_body_without_a_length_that_is_too_large_is_counted_at_every_door(
    client: Client, new_webhook: NewWebhook
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 100

    for path in (await new_webhook(), "/api/v1/events"):
        async with client.post(path, data=pieces(), headers=AUTHORIZED) as answer:
            assert answer.status == 413
    assert 'hopline_ingress_refusals_total{status="413"} 2.0' in await scrape(client)


async def stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"data: 1\n\n")
    return answer


def raising(error: Exception) -> Callable[[web.Request], Any]:
    async def handler(_request: web.Request) -> web.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "status", "timed_too"),
    [
        (stream, 200, False),
        (raising(NotFound("nowhere")), 404, True),
        (raising(web.HTTPConflict()), 409, True),
        (raising(BrokerUnreachable("away")), 503, True),
        (raising(ValueError("a fault")), 500, True),
    ],
    ids=["stream", "problem", "aiohttp", "transport", "fault"],
)
async def test_each_way_to_end_is_counted_by_its_status(
    handler: Callable[[web.Request], Any], status: int, timed_too: bool
) -> None:
    app = web.Application()
    metrics = app[METRICS] = Metrics()
    app.router.add_get("/", timed("runs", handler))
    async with TestClient(TestServer(app)) as client, client.get("/") as answer:
        await answer.read()
    value = metrics.registry.get_sample_value
    assert value("hopline_api_requests_total", {"tag": "runs", "status": str(status)}) == 1
    assert value("hopline_api_seconds_count", {"tag": "runs"}) == (1 if timed_too else None)
