"""Clients that send slowly, or too much before the body: over real sockets and the real server."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from ingress.server import serve
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Server, StandIns, assemble, new_settings

ALLOWED = [f"{name}: {value}" for name, value in AUTHORIZED.items()]
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'

Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serving(stand_ins: StandIns) -> AsyncIterator[Serve]:
    """Starts a server as it is run, with those settings, and gives its port. What a test does not wait for is
    left at its default, so that nothing depends on how fast the machine is."""
    stopping, tasks = asyncio.Event(), []

    async def start(**given: Any) -> int:
        settings = new_settings(**given)
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = assemble(stand_ins, settings)
        tasks.append(asyncio.create_task(serve(app, settings, stopping, ready=listening.set_result)))
        return await listening

    yield start
    stopping.set()
    await asyncio.gather(*tasks)


@pytest.fixture
async def path(stand_ins: StandIns) -> str:
    """Of a webhook."""
    async with TestClient(Server(assemble(stand_ins, new_settings()))) as client:
        imported = "/api/v1/workflows/import?app=slow&publish=true"
        async with client.post(imported, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        wanted = {"workflow_id": workflow_id}
        async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
            return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])


async def trickle(port: int, *pieces: bytes) -> bytes:
    """Sends the pieces, waits for the server to answer and to close; gives all that it has sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    # A machine that is slow enough has it closed in between.
    with suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
    answered = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answered


def head(path: str, *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: x", *headers)
    return ("\r\n".join(lines) + "\r\n").encode()


async def test_a_body_that_does_not_come_is_given_up(serving: Serve, path: str, stand_ins: StandIns) -> None:
    port = await serving(body_timeout_s=0.3)
    answered = await trickle(port, head(path, "Content-Length: 100") + b"\r\n", b"abc", b"def")
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answered
    assert b"HOPLINE_BODY_TIMEOUT_S" in answered
    assert stand_ins.sent.events() == []


@pytest.mark.parametrize("pieces", [(), (b"--b\r\n",), (FILE, b"content")], ids=["none", "head", "file"])
async def test_an_upload_that_does_not_come_is_given_up(serving: Serve, pieces: tuple[bytes, ...]) -> None:
    port = await serving(body_timeout_s=0.3)
    given = ("Content-Length: 1000000", "Content-Type: multipart/form-data; boundary=b", *ALLOWED)
    answered = await trickle(port, head("/api/v1/files", *given) + b"\r\n", *pieces)
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"HOPLINE_BODY_TIMEOUT_S" in answered


async def test_a_large_upload_has_the_time_of_a_body_for_each_part_of_it(serving: Serve) -> None:
    port = await serving(body_timeout_s=2.0, max_body_bytes=1024)
    pieces = [FILE, *[b"x" * 1024] * 25, b"\r\n--b--\r\n"]
    given = (f"Content-Length: {sum(map(len, pieces))}", "Content-Type: multipart/form-data; boundary=b")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head("/api/v1/files", *given, *ALLOWED, "Connection: close") + b"\r\n")
    for piece in pieces:
        writer.write(piece)
        await asyncio.sleep(0.1)
    assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 201 ")
    writer.close()


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b"{}", mtime=0) + b"more"], ids=["garbage", "more"]
)
async def test_a_body_that_is_not_compressed_as_it_says_is_refused(
    serving: Serve, path: str, stand_ins: StandIns, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    port = await serving()
    given = ("Content-Encoding: gzip", f"Content-Length: {len(body)}", "Connection: close")
    answered = await trickle(port, head(path, *given) + b"\r\n" + body)
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answered
    assert stand_ins.sent.events() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_that_breaks_while_it_is_waited_for_is_refused(
    serving: Serve, path: str, stand_ins: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    port = await serving()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head(path, "Transfer-Encoding: chunked", "Expect: 100-continue") + b"\r\n")
    # What is broken from the beginning never gets to a handler.
    await asyncio.wait_for(reader.readuntil(b"100 Continue\r\n\r\n"), 30)
    writer.write(b"2\r\n{}\r\nnone\r\n")
    answered = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert answered.startswith(b"HTTP/1.1 400 ")
    assert b"not encoded as its Transfer-Encoding says" in answered
    assert stand_ins.sent.events() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_body_in_pieces_is_taken(serving: Serve, path: str, stand_ins: StandIns) -> None:
    port = await serving()
    pieces = (head(path, "Content-Length: 6", "Connection: close") + b"\r\n", b"abc", b"def")
    answered = await trickle(port, *pieces)
    assert answered.startswith(b"HTTP/1.1 202 ")
    assert b"\r\nServer: Hopline\r\n" in answered
    assert len(stand_ins.sent.events()) == 1


async def test_a_head_that_does_not_end_is_given_up(serving: Serve, path: str) -> None:
    port = await serving(keepalive_timeout_s=1)
    assert await trickle(port, head(path)[:-2], b"\r\nX-A: ", b"b") == b""


async def test_a_connection_without_a_request_is_closed(serving: Serve) -> None:
    port = await serving(keepalive_timeout_s=1)
    assert await trickle(port) == b""


@pytest.mark.parametrize(
    "sent",
    [
        {"path": "/" + "p" * 1100},
        {"headers": ["X-Long: " + "v" * 1100]},
        {"headers": [f"X-{n}: v" for n in range(20)]},
    ],
)
async def test_more_than_a_head_may_have_is_refused(
    serving: Serve, path: str, sent: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    port = await serving(max_header_bytes=1024, max_headers=16)
    pieces = head(sent.get("path", path), *sent.get("headers", []), "Content-Length: 0") + b"\r\n"
    caplog.set_level("INFO")
    answered = await trickle(port, pieces)
    assert answered.startswith(b"HTTP/1.0 400 ")
    assert b"\r\nServer: Hopline\r\n" in answered
    said = [record for record in caplog.records if record.name.startswith(("aiohttp", "ingress.server"))]
    assert said == [], "who sends nonsense does not fill the log"
