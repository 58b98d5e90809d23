"""Clients that send slowly, or too much before the body: over real sockets and the real server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from ingress.server import serve
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, StandIns, assemble, new_settings

SETTINGS = {"body_timeout_s": 0.3, "keepalive_timeout_s": 1, "max_header_bytes": 1024, "max_headers": 16}


@pytest.fixture
async def port(stand_ins: StandIns) -> AsyncIterator[int]:
    """Of a server as it is run."""
    settings = new_settings(**SETTINGS)
    app, stopping = assemble(stand_ins, settings), asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, settings, stopping, ready=listening.set_result))
    yield await listening
    stopping.set()
    await serving


@pytest.fixture
async def path(stand_ins: StandIns) -> str:
    """Of a webhook."""
    async with TestClient(TestServer(assemble(stand_ins, new_settings()))) as client:
        imported = "/api/v1/workflows/import?app=slow&publish=true"
        async with client.post(imported, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        wanted = {"workflow_id": workflow_id}
        async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
            return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])


async def trickle(port: int, *pieces: bytes) -> bytes:
    """Sends the pieces, waits for the server to answer and to close; gives all that it has sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
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


async def test_a_body_that_does_not_come_is_given_up(port: int, path: str, stand_ins: StandIns) -> None:
    answered = await trickle(port, head(path, "Content-Length: 100") + b"\r\n", b"abc", b"def")
    assert answered.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in answered
    assert b"HOPLINE_BODY_TIMEOUT_S" in answered
    assert stand_ins.sent.events() == []


async def test_a_body_in_pieces_is_taken(port: int, path: str, stand_ins: StandIns) -> None:
    pieces = (head(path, "Content-Length: 6", "Connection: close") + b"\r\n", b"abc", b"def")
    assert (await trickle(port, *pieces)).startswith(b"HTTP/1.1 202 ")
    assert len(stand_ins.sent.events()) == 1


async def test_a_head_that_does_not_end_is_given_up(port: int, path: str) -> None:
    assert await trickle(port, head(path)[:-2], b"\r\nX-A: ", b"b") == b""


async def test_a_connection_without_a_request_is_closed(port: int) -> None:
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
    port: int, path: str, sent: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    pieces = head(sent.get("path", path), *sent.get("headers", []), "Content-Length: 0") + b"\r\n"
    caplog.set_level("INFO")
    assert (await trickle(port, pieces)).startswith(b"HTTP/1.0 400 ")
    said = [record for record in caplog.records if record.name.startswith(("aiohttp", "ingress.server"))]
    assert said == [], "who sends nonsense does not fill the log"
