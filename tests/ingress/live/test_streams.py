"""How many streams there may be, and how one is written and ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer

from cli.sse import EventReader, ServerSentEvent
from ingress.errors import TooMany, Unavailable
from ingress.live import streams
from ingress.live.gathering import Sent
from ingress.live.listener import DRAINING, SLOW_READER, Listener
from ingress.live.story import Story
from ingress.live.streams import LiveStreams, write
from tests.ingress.live.records import Partition
from tests.ingress.stand_ins import new_settings
from transport.errors import BrokerUnreachable


class Told:
    """A stream that tells what a test wants."""

    def __init__(self, *batches: list[Sent] | Exception) -> None:
        self.listener = Listener(None, 1)
        self.id = "last"
        self.is_over = False
        self.begun = asyncio.Event()
        self._batches = list(batches)

    async def more(self, timeout_s: float) -> list[Sent]:
        if not self._batches:
            await self.listener.get(timeout_s)
            return []
        batch = self._batches.pop(0)
        self.begun.set()
        if isinstance(batch, Exception):
            raise batch
        self.is_over = not self._batches
        return batch


async def allowed() -> None:
    """A reader who may be told everything."""


def some_events() -> list[Sent]:
    of, story = Partition(), Story()
    changes = [of.run(), of.node(1)]
    return [Sent(event, str(n)) for n, event in enumerate(e for c in changes for e in story.take(c))]


@asynccontextmanager
async def reading(told: Told) -> AsyncIterator[ClientResponse]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await write(request, told, [], allowed, has_gap=True)

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestClient(TestServer(app)) as client, client.get("/") as answer:
        yield answer


async def events(answer: ClientResponse, reader: EventReader) -> list[ServerSentEvent]:
    """Until the end."""
    lines = (line.decode().rstrip("\n") for line in (await answer.read()).splitlines())
    return [event for line in lines if (event := reader.take(line)) is not None]


async def test_a_stream_that_is_over_ends() -> None:
    sent = some_events()
    async with reading(Told(sent[:1], sent[1:])) as answer:
        found = await events(answer, EventReader())
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-cache, no-transform"
    assert [event.name for event in found] == ["gap", "workflow_started", "node_started", "node_finished"]
    assert found[-1].id == "2"


async def test_a_server_that_stops_says_so_and_when_to_come_back() -> None:
    told, reader = Told(), EventReader()
    async with reading(told) as answer:
        told.listener.end(DRAINING)
        found = await events(answer, reader)
    assert found[-1].name == "stream_ended"
    assert orjson.loads(found[-1].data)["reason"] == "draining"
    assert 0.5 <= reader.retry_s < 1.5


async def test_a_reader_that_is_cut_off_before_the_first_event_comes_back_to_where_it_began() -> None:
    told, reader = Told(), EventReader()
    async with reading(told) as answer:
        told.listener.end(SLOW_READER)
        await events(answer, reader)
    assert reader.last_id == "last"


async def test_a_reader_that_is_too_slow_is_told_why_when_it_reads_again() -> None:
    sent = some_events()[:1]
    sent[0].event.change.record["inputs"] = orjson.dumps(["x" * 1000] * 20_000).decode()
    told = Told(sent, [])
    async with reading(told) as answer:
        # Handed over, more than the connection takes.
        await told.begun.wait()
        told.listener.end(SLOW_READER)
        found = await events(answer, EventReader())
    assert [event.name for event in found] == ["gap", "workflow_started", "stream_ended"]
    assert orjson.loads(found[-1].data)["reason"] == "slow_reader"


async def test_a_broker_that_is_away_ends_the_stream() -> None:
    async with reading(Told(some_events()[:1], BrokerUnreachable("it is away"))) as answer:
        found = await events(answer, EventReader())
    assert orjson.loads(found[-1].data)["reason"] == "failed"
    assert found[-1].id == "0", "from there it goes on"


async def test_a_heartbeat_moves_the_id_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_BEAT_S", 0.0)
    told, reader = Told([], some_events()[:1]), EventReader()
    async with reading(told) as answer:
        found = await events(answer, reader)
        raw = await answer.read()
    assert b"event: ping\nid: last\n\n" in raw
    assert [event.name for event in found] == ["gap", "workflow_started"]


async def test_a_reader_that_has_gone_is_noticed() -> None:
    told, ended = Told(), asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await write(request, told, [], allowed)
        finally:
            ended.set()

    app = web.Application()
    app.router.add_get("/", handle)
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/")
        answer.close()
        async with asyncio.timeout(60):
            await ended.wait()


def test_streams_are_bounded() -> None:
    settings = new_settings(live_streams=3, live_streams_per_tenant=2)
    live = LiveStreams(settings, cast(Any, None), None)
    with live.place_for("a"), live.place_for("a"):
        with pytest.raises(TooMany) as refused, live.place_for("a"):
            pass
        assert refused.value.headers["Retry-After"] == "5"
        with live.place_for("b"):
            assert live.count == 3
            with pytest.raises(Unavailable), live.place_for("c"):
                pass
        with live.place_for("b"):
            pass
    assert live.count == 0


def test_a_server_that_stops_takes_no_more_and_ends_those_that_there_are() -> None:
    live, listener = LiveStreams(new_settings(), cast(Any, None), None), Listener(None, 1)
    with live.ended_with_us(listener):
        live.stop()
    assert listener.ending is DRAINING
    with pytest.raises(Unavailable), live.place_for("a"):
        pass
