"""A broker that is slow: what requests under way hold is bounded, and what is too much is refused at once."""

import asyncio
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from io import BytesIO

import pytest
from aiohttp.test_utils import TestClient

from ingress.keys import BUDGET
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Sent, Server, StandIns, assemble, new_settings
from transport.producer import Position, Send

MIB = 1024 * 1024
LIMIT = 16 * MIB


class Slow(Sent):
    """A producer whose broker takes no event until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.takes = asyncio.Event()
        self.events = 0

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        if any(send.topic == "trigger.events" for send in sends):
            self.events += len(sends)
            await self.takes.wait()
        return await super().send_all(sends)


@pytest.fixture
def stand_ins() -> StandIns:
    return StandIns(sent=Slow())


@pytest.fixture
async def client(stand_ins: StandIns) -> AsyncIterator[Client]:
    settings = new_settings(inflight_max_bytes=LIMIT)
    async with TestClient(Server(assemble(stand_ins, settings))) as client:
        yield client


@pytest.fixture
async def path(client: Client) -> str:
    async with client.post(
        "/api/v1/workflows/import?app=a&publish=true", json=GRAPH, headers=AUTHORIZED
    ) as a:
        wanted = {"workflow_id": (await a.json())["workflow_id"]}
    async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
        return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])


async def test_what_is_too_much_is_refused_and_what_was_taken_goes_through(
    client: Client, path: str, stand_ins: StandIns
) -> None:
    slow = stand_ins.sent
    assert isinstance(slow, Slow)
    statuses: Counter[int] = Counter()
    retries: set[str | None] = set()

    async def post(number: int) -> None:
        async with client.post(path, data=BytesIO(f"{number:04}".encode() + b"x" * MIB)) as answer:
            statuses[answer.status] += 1
            retries.add(answer.headers.get("Retry-After"))

    posts = [asyncio.create_task(post(number)) for number in range(40)]
    async with asyncio.timeout(60):
        # All are either refused, or wait for the broker.
        while statuses[503] + slow.events < 40:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert 0 < client.app[BUDGET].used <= LIMIT
    assert statuses == {503: 25}, "15 bodies of 1 MiB fit, with what each request takes besides"
    slow.takes.set()
    await asyncio.gather(*posts)
    assert statuses == {503: 25, 202: 15}
    assert retries == {"1", None}
    assert client.app[BUDGET].used == 0
    async with client.get("/metrics") as answer:
        assert "hopline_ingress_inflight_bytes 0.0" in await answer.text()


async def test_a_body_that_does_not_say_its_size_counts_as_the_largest_until_it_is_there(
    client: Client, path: str, stand_ins: StandIns
) -> None:
    slow = stand_ins.sent
    assert isinstance(slow, Slow)
    more = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"begin"
        await more.wait()
        yield b"end"

    first = asyncio.create_task(client.post(path, data=pieces()))
    budget = client.app[BUDGET]
    async with asyncio.timeout(60):
        while not budget.used:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert budget.used > 10 * MIB
        async with client.post(path, data=BytesIO(b"y" * 6 * MIB)) as answer:
            assert answer.status == 503
        more.set()
        while budget.used > MIB:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert budget.used > 0
    slow.takes.set()
    async with await first as answer:
        assert answer.status == 202
    assert budget.used == 0


FORM = {**AUTHORIZED, "Content-Type": "multipart/form-data; boundary=b"}
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'


async def test_an_upload_counts_what_it_holds_until_it_is_stored(client: Client) -> None:
    more = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        yield FILE + b"x" * MIB
        await more.wait()
        yield b"\r\n--b--\r\n"

    first = asyncio.create_task(client.post("/api/v1/files", data=pieces(), headers=FORM))
    budget = client.app[BUDGET]
    async with asyncio.timeout(60):
        while not budget.used:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with client.post("/api/v1/files", data=pieces(), headers=FORM) as answer:
            assert (answer.status, answer.headers.get("Retry-After")) == (503, "1")
        more.set()
        async with await first as answer:
            assert answer.status == 201
    assert budget.used == 0
    small = FILE + b"x" * 100 + b"\r\n--b--\r\n"
    async with client.post("/api/v1/files", data=small, headers=FORM) as answer:
        assert answer.status == 201, "it counts as what it says"


async def test_a_compressed_body_counts_by_what_becomes_of_it(
    client: Client, path: str, stand_ins: StandIns
) -> None:
    slow = stand_ins.sent
    assert isinstance(slow, Slow)
    refused = 0

    async def post(number: int) -> None:
        nonlocal refused
        body = BytesIO(gzip.compress(f"{number:04}".encode() + b"x" * MIB))
        async with client.post(path, data=body, headers={"Content-Encoding": "gzip"}) as answer:
            refused += answer.status == 503

    posts = [asyncio.create_task(post(number)) for number in range(40)]
    async with asyncio.timeout(60):
        while refused + slow.events < 40:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert slow.events * MIB < client.app[BUDGET].used <= LIMIT
    slow.takes.set()
    await asyncio.gather(*posts)
    assert client.app[BUDGET].used == 0
