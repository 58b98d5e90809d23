"""Connections that bring events, and other things, over real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingress.express import connection
from ingress.express.connection import Express
from tests.ingress.stand_ins import Client, NewWebhook, Server, StandIns, assemble, new_settings


@dataclass
class Line:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, *pieces: bytes) -> None:
        self.writer.write(b"".join(pieces))

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next one."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)).decode()
        status, *lines = head.rstrip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await self.reader.readexactly(int(headers.get("Content-Length", "0")))
        return int(status.split()[1]), headers, body


async def connected(server: TestServer) -> Line:
    assert server.port is not None
    return Line(*await asyncio.open_connection(server.host, server.port))


@pytest.fixture
async def line(client: Client) -> AsyncIterator[Line]:
    opened = await connected(client.server)
    yield opened
    opened.writer.close()


def event(path: str, body: bytes = b"{}", *headers: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def until(there: Callable[[], bool]) -> None:
    for _ in range(3000):
        if there():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it has not come to that")


def taken_over(client: Client) -> int:
    """How many connections are aiohttp's."""
    return len(client.server.runner._server.connections)


async def test_events_are_answered_in_their_order_on_one_connection(
    new_webhook: NewWebhook, line: Line, client: Client, stand_ins: StandIns
) -> None:
    path = await new_webhook()
    before = taken_over(client)
    line.send(
        *(event(path, b'{"n":%d}' % n, f"Webhook-Id: d-{n}") for n in range(3)), event(path, b"{}")[:-1]
    )
    answers = [await line.answer() for _ in range(3)]
    line.send(b"}")
    answers.append(await line.answer())
    assert [status for status, _, _ in answers] == [202] * 4
    assert [orjson.loads(body)["trigger_id"] for _, _, body in answers][:3] == ["d-0", "d-1", "d-2"]
    assert [orjson.loads(e["data"])["body"] for e in stand_ins.sent.events()][:3] == [
        {"n": n} for n in range(3)
    ]
    assert taken_over(client) == before


async def test_what_lies_between_is_answered_by_aiohttp(
    new_webhook: NewWebhook, line: Line, client: Client
) -> None:
    path = await new_webhook()
    before = taken_over(client)
    asked = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
    line.send(event(path), asked, event(path), asked, asked)
    assert [(await line.answer())[0] for _ in range(5)] == [202, 200, 200, 200, 200]
    assert taken_over(client) == before


async def test_what_is_in_doubt_makes_the_connection_aiohttps(
    new_webhook: NewWebhook, line: Line, client: Client
) -> None:
    path = await new_webhook()
    before = taken_over(client)
    chunked = (
        event(path)[:-2].replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")
        + b"2\r\n{}\r\n0\r\n\r\n"
    )
    line.send(event(path, b"[1]"), chunked, event(path, b"[2]"))
    assert [(await line.answer())[0] for _ in range(3)] == [202, 202, 202]
    assert taken_over(client) == before + 1


async def test_what_comes_too_slowly_is_aiohttps_too(
    new_webhook: NewWebhook, line: Line, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.0)
    path = await new_webhook()
    before = taken_over(client)
    line.send(event(path)[:-1])
    await until(lambda: taken_over(client) > before)
    line.send(b"}")
    assert (await line.answer())[0] == 202


CONFIGS: list[dict[str, Any]] = [
    {},
    {"response": {"status": 204}},
    {"response": {"status": 200, "body": "thanks", "headers": {"X-Own": "1"}}},
    {"content_types": ["text/plain"]},
    {"allowed_methods": ["PUT"]},
    {"required": {"query": ["page"]}},
]
REQUESTS = {
    "json": event("{path}", b'{"a":[1]}', "Content-Type: application/json"),
    "no json": event("{path}", b"{", "Content-Type: application/json"),
    "text": event("{path}", b"caf\xc3\xa9", "Content-Type: text/plain", "User-Agent: u", "Cookie: c"),
    "query": event("{path}?page=1&page=2&q=%C3%A9+x", b""),
    "form": event("{path}", b"a=1&a=2", "Content-Type: application/x-www-form-urlencoded"),
    "elsewhere": event("/triggers/webhook/none"),
    "too large": event("{path}", b"x" * 5000),
}


@pytest.mark.parametrize("config", CONFIGS, ids=str)
async def test_the_answer_and_the_event_are_those_of_aiohttp(
    config: dict[str, Any], new_webhook: NewWebhook, client: Client, stand_ins: StandIns
) -> None:
    path = await new_webhook(**config)
    app = assemble(stand_ins, new_settings(max_body_bytes=4096))
    async with TestServer(app) as aiohttps:
        for name, request in REQUESTS.items():
            said = []
            for server in (client.server, aiohttps):
                stand_ins.sent.sends.clear()
                line = await connected(server)
                line.send(request.replace(b"{path}", path.encode()))
                status, headers, body = await line.answer()
                line.writer.close()
                headers = {k: v for k, v in headers.items() if k not in ("Date", "Server")}
                said.append(
                    (status, headers, unnamed(body), [unnamed_event(e) for e in stand_ins.sent.events()])
                )
            assert said[0] == said[1], name


def unnamed(body: bytes) -> Any:
    """Without what is new each time."""
    answer = orjson.loads(body) if body.startswith(b"{") else body
    return {k: v for k, v in answer.items() if k != "event_id"} if isinstance(answer, dict) else answer


def unnamed_event(record: dict[str, Any]) -> dict[str, Any]:
    fresh = ("event_id", "received_at", "published_at")
    data = orjson.loads(record["data"])
    data["metadata"].pop("received_at")
    return {k: v for k, v in record.items() if k not in fresh} | {"data": data}


async def test_an_answer_that_breaks_off_ends_the_connection() -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        await answer.write(b"some")
        assert request.transport is not None
        request.transport.abort()
        return answer

    app = assemble(StandIns(), new_settings())
    app.router.add_get("/breaks", breaks_off)
    async with Server(app) as server:
        line = await connected(server)
        line.send(b"GET /breaks HTTP/1.1\r\nHost: h\r\n\r\n" * 2)
        said = await asyncio.wait_for(line.reader.read(), 30)
        line.writer.close()
    assert said.count(b"HTTP/1.1 ") == 1


class Unread(asyncio.Transport):
    """Of a peer that reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.reading = True

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def test_who_reads_no_answers_is_not_read_either(new_webhook: NewWebhook, client: Client) -> None:
    express: Express = client.server.runner.server
    path, peer, made = await new_webhook(), Unread(), express()
    made.connection_made(peer)
    made.pause_writing()
    made.data_received(event(path) * 1000)
    await asyncio.sleep(0.01)
    assert (peer.written, peer.reading) == ([], False)
    made.resume_writing()
    await until(lambda: len(peer.written) == 1000)
    assert peer.reading
    made.connection_lost(None)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
async def test_who_reads_no_answers_loses_the_connection(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    express: Express = client.server.runner.server
    monkeypatch.setattr(express, "keepalive_timeout_s", 1)
    with socket.create_connection(("127.0.0.1", client.server.port or 0), 10) as peer:
        peer.setblocking(False)
        await until(lambda: len(express.connections) > 0)
        with suppress(BlockingIOError, ConnectionError):
            while True:
                peer.send(b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n")
                await asyncio.sleep(0)
        await until(lambda: not express.connections)


async def test_no_more_is_read_ahead_however_fast_it_comes(new_webhook: NewWebhook, client: Client) -> None:
    express: Express = client.server.runner.server
    path, peer, made = await new_webhook(), Unread(), express()
    made.connection_made(peer)
    made.data_received(event(path) * 3000)
    made.data_received(event(path) * 3)
    assert not peer.reading
    for _ in range(200):
        await asyncio.sleep(0)
    assert (len(peer.written) in range(1, 1000), peer.reading) == (True, False)
    await until(lambda: len(peer.written) == 3003)
    assert peer.reading
    made.connection_lost(None)


async def test_who_sends_no_more_still_gets_the_answers(
    new_webhook: NewWebhook,
    line: Line,
    client: Client,
    stand_ins: StandIns,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = await new_webhook()
    may_answer, send_all = asyncio.Event(), stand_ins.sent.send_all

    async def late(sends: Any) -> Any:
        await may_answer.wait()
        return await send_all(sends)

    monkeypatch.setattr(stand_ins.sent, "send_all", late)
    line.send(event(path), event(path, b"[2]"))
    line.writer.write_eof()
    express: Express = client.server.runner.server
    await until(lambda: any(made._ended for made in express.connections))
    may_answer.set()
    assert [(await line.answer())[0] for _ in range(2)] == [202, 202]
    assert await asyncio.wait_for(line.reader.read(), 30) == b""


async def test_time_without_a_request_counts_on_when_aiohttp_takes_over(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_PATIENCE_S", 0.0)
    express: Express = client.server.runner.server
    monkeypatch.setattr(express, "keepalive_timeout_s", 60)
    monkeypatch.setitem(express.aiohttp.keywords, "keepalive_timeout", 60)  # type: ignore[attr-defined]
    before = set(client.server.runner._server.connections)
    line = await connected(client.server)
    await until(lambda: len(express.connections) > 0)
    for made in express.connections:
        made._answered_at -= 60
    line.send(b"POST ")
    assert await asyncio.wait_for(line.reader.read(), 30) == b""
    assert set(client.server.runner._server.connections) <= before
    line.writer.close()


_HEAD = b"POST /api/v1/webhooks/w HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "why"),
    [
        (b"hello\r\n\r\n", 400, "Invalid method encountered: b'hello'"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "HTTPS traffic on an HTTP port"),
        (_HEAD + b"X-A b\r\n\r\n", 400, "Invalid header token: b'X-A b'"),
        (_HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "Duplicate Content-Length"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "Invalid character in chunk size"),
        (_HEAD + b"Content-Length: 1\r\nExpect: rabbits\r\n\r\na", 417, "Unknown Expect: rabbits"),
    ],
)
async def test_what_aiohttp_refuses_by_itself_is_a_problem_too(
    line: Line, sent: bytes, status: int, why: str
) -> None:
    line.send(sent)
    code, headers, body = await line.answer()
    problem = orjson.loads(body)
    assert (code, headers["Content-Type"]) == (status, "application/problem+json")
    assert (problem["status"], problem["type"]) == (status, "about:blank")
    assert why in problem["detail"]
    assert "\n" not in problem["detail"]
