"""What is sent more than once, and how a producer insists."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bench.connection import Connection, Endpoint
from bench.journal import Journal
from bench.orders import orders
from bench.traffic import NotAccepted, Traffic, mixed, with_repeats


class Door:
    """A server that refuses each order the first `refusals` times, in the ways that servers have."""

    def __init__(self) -> None:
        self.refusals = 0
        self.retry_after_s = 0
        self.seen: list[str] = []
        self._app = web.Application()
        self._app.router.add_post("/orders", self._take)
        self._app.router.add_post("/chunked", self._chunked)
        self._app.router.add_post("/close", self._close)
        self.server = TestServer(self._app)

    async def _take(self, request: web.Request) -> web.Response:
        order_id = request.headers["webhook-id"]
        assert (await request.json())["order_id"] == order_id
        self.seen.append(order_id)
        refuse = self.seen.count(order_id) <= self.refusals
        if refuse:
            return web.json_response({}, status=503, headers={"Retry-After": str(self.retry_after_s)})
        return web.json_response({}, status=202)

    async def _chunked(self, request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=201)
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        await answer.write(b"a" * 100)
        await answer.write(b"b" * 100)
        await answer.write_eof()
        return answer

    async def _close(self, _: web.Request) -> web.Response:
        answer = web.Response(text="done")
        answer.force_close()
        return answer


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    async with made.server:
        yield made


def _endpoint(door: Door, path: str = "/orders") -> Endpoint:
    return Endpoint(str(door.server.make_url(path)), "webhook-id")


async def test_each_order_is_posted_until_accepted(door: Door, tmp_path: Path) -> None:
    door.refusals = 1
    with Journal(tmp_path / "journal") as journal:
        await Traffic(_endpoint(door), journal).post_all(itertools.islice(orders("b"), 20), connections=4)
    assert journal.acknowledged == set(door.seen)
    assert (journal.posts, journal.retries, journal.repeats) == (20, 20, 0)
    assert (tmp_path / "journal").read_text().splitlines().count("accepted b-000003") == 1


async def test_gives_up_in_the_end(door: Door, tmp_path: Path) -> None:
    door.refusals = 1_000
    with Journal(tmp_path / "journal") as journal:
        traffic = Traffic(_endpoint(door), journal, give_up_after_s=0.1)
        with pytest.raises(ExceptionGroup) as raised:
            await traffic.post_all(itertools.islice(orders("b"), 1), connections=1)
    assert isinstance(raised.value.exceptions[0], NotAccepted)
    assert not journal.acknowledged


async def test_fixed_rate_counts_what_it_posts(door: Door, tmp_path: Path) -> None:
    seconds: list[int] = []
    with Journal(tmp_path / "journal") as journal:
        await Traffic(_endpoint(door), journal).post_at(50, 0.5, orders("b"), seconds.append)
    assert len(journal.acknowledged) == 25
    assert seconds == [0]


@pytest.mark.parametrize(
    ("path", "status", "content"), [("/chunked", 201, b"b" * 100), ("/close", 200, b"done")]
)
async def test_reads_whole_answers(door: Door, path: str, status: int, content: bytes) -> None:
    async with Connection(_endpoint(door, path)) as connection:
        for _ in range(3):
            answer = await connection.post("id", b"{}")
            assert answer.status == status
            assert content in answer.content


async def test_what_a_refusal_asks_for_is_read(door: Door) -> None:
    door.refusals, door.retry_after_s = 1, 2
    async with Connection(_endpoint(door)) as connection:
        found = [await connection.post("b-000000", b'{"order_id": "b-000000"}') for _ in range(2)]
    assert [(one.status, one.retry_after_s) for one in found] == [(503, 2), (202, 0)]


@pytest.mark.parametrize("obeys", [True, False])
async def test_a_producer_waits_as_long_as_it_is_asked(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obeys: bool
) -> None:
    door.refusals, door.retry_after_s = 1, 2
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("bench.traffic.asyncio.sleep", sleep)
    with Journal(tmp_path / "journal") as journal:
        traffic = Traffic(_endpoint(door), journal, obeys=obeys)
        await traffic.post_all(itertools.islice(orders("b"), 1), connections=1)
    assert waited == [2 if obeys else 0.2]


def test_mixed_repeats_come_after_the_first() -> None:
    unique = list(itertools.islice(orders("b"), 950))
    posted = mixed(unique, 50, random.Random(1))
    assert len(posted) == 1_000
    assert list(dict.fromkeys(posted)) == unique


def test_share_of_repeats_is_of_everything_sent() -> None:
    posted = [o.order_id for o in itertools.islice(with_repeats(orders("b"), 0.05, random.Random(1)), 20_000)]
    assert 0.045 < 1 - len(set(posted)) / len(posted) < 0.055


async def test_a_door_that_does_not_answer_is_left_for_the_next(door: Door, tmp_path: Path) -> None:
    away = Endpoint("http://127.0.0.1:1/orders", "webhook-id")
    with Journal(tmp_path / "journal") as journal:
        traffic = Traffic(away, journal, others=[_endpoint(door)])
        await traffic.post_all(itertools.islice(orders("b"), 20), connections=4)
    assert journal.acknowledged == set(door.seen)
    assert (journal.posts, journal.retries) == (20, 0)


async def test_nobody_answers(tmp_path: Path) -> None:
    away = Endpoint("http://127.0.0.1:1/orders", "webhook-id")
    with Journal(tmp_path / "journal") as journal:
        traffic = Traffic(away, journal, others=[away], give_up_after_s=0.1)
        with pytest.raises(ExceptionGroup) as raised:
            await traffic.post_all(itertools.islice(orders("b"), 1), connections=1)
    assert isinstance(raised.value.exceptions[0], NotAccepted)


async def test_posting_ends_when_it_is_over(door: Door, tmp_path: Path) -> None:
    over = asyncio.Event()

    def end(_: int) -> None:
        over.set()

    with Journal(tmp_path / "journal") as journal:
        await Traffic(_endpoint(door), journal).post_at(50, 3600, orders("b"), end, over=over)
    assert len(journal.acknowledged) == 1
