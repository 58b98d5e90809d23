"""Any bytes are read as aiohttp reads them: both are sent the same, with nothing but memory between."""

import asyncio
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, cast

import orjson
import pytest
from aiohttp import web_response
from aiohttp.test_utils import TestServer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingress.express import connection
from ingress.express.lending import Handler
from ingress.express.reading import Plain, Reader
from ingress.express.request import WholeRequest
from ingress.express.response import SERVER
from tests.ingress.provider_clients import SIGNING_SECRET, WEBHOOK_SECRET, connect_github, connect_slack
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.schemas.triggers.slack_samples import signed

QUIET_TURNS = 12
"""Of the event loop, in which nothing happens: nothing more will."""


class Wire(asyncio.Transport):
    """A connection without sockets, of which the other end reads all."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self._protocol = protocol
        self._waiting: list[bytes] = []
        self._reading = True
        self.written = b""
        self.closed = False
        protocol.connection_made(self)

    def send(self, data: bytes) -> None:
        self._waiting.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while self._reading and self._waiting and not self.closed:
            self._protocol.data_received(self._waiting.pop(0))

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("10.0.0.1", 4711) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closed
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(lambda: self._protocol.connection_lost(None))

    abort = close

    def pause_reading(self) -> None:
        self._reading = False

    def resume_reading(self) -> None:
        self._reading = True
        asyncio.get_running_loop().call_soon(self._deliver)


@dataclass
class Side:
    """One of the two, and what came of what it was sent."""

    protocol: Callable[[], Any]
    """Of one connection."""
    stand_ins: StandIns

    async def says(self, pieces: list[bytes]) -> tuple[list[Any], list[Any], bool]:
        """Answers, events, and whether the connection stays open. After each piece all has become quiet."""
        self.stand_ins.sent.sends.clear()
        wire = Wire(self.protocol())
        for piece in pieces:
            wire.send(piece)
            await self._quiet(wire)
        stays = not wire.closed
        wire.close()
        await self._quiet(wire)
        return answers(wire.written), [unnamed(one) for one in self.stand_ins.sent.events()], stays

    async def _quiet(self, wire: Wire) -> None:
        turns, before = 0, (-1, False)
        while turns < QUIET_TURNS:
            await asyncio.sleep(0)
            now = (len(wire.written), wire.closed)
            turns, before = (turns + 1 if now == before else 0), now


def answers(written: bytes) -> list[Any]:
    """Without what is new each time, and the order of headers."""
    found = []
    for one in re.split(rb"(?=HTTP/\d\.\d \d{3} )", written)[1:]:
        head, _, body = one.partition(b"\r\n\r\n")
        line, *headers = head.split(b"\r\n")
        body = re.sub(rb'"event_id":"[^"]+"', b'"event_id":""', body)
        body = re.sub(rb'"event_ids":\["[^]]+\]', b'"event_ids":[""]', body)
        headers = [re.sub(rb"(?<=^Hopline-Event-Ids: ).+", b"", header) for header in headers]
        found.append((line, sorted(h for h in headers if not h.startswith(b"Date: ")), body))
    return found


def unnamed(record: dict[str, Any]) -> dict[str, Any]:
    data = orjson.loads(record["data"])
    data["metadata"].pop("received_at")
    fresh = ("event_id", "received_at", "published_at")
    return {k: v for k, v in record.items() if k not in fresh} | {"data": data}


@dataclass
class Both:
    """The ingress, and the same application by aiohttp alone."""

    runner: asyncio.Runner
    reader: Reader
    ours: Side
    aiohttps: Side
    paths: list[str] = field(default_factory=list)
    """Of webhooks."""
    providers: dict[str, str] = field(default_factory=dict)
    """Where they deliver to."""

    def compare(self, pieces: list[bytes]) -> None:
        ours = self.runner.run(self.ours.says(pieces))
        assert ours == self.runner.run(self.aiohttps.says(self._cut(pieces))), pieces

    def _cut(self, pieces: list[bytes]) -> list[bytes]:
        """Where ours sees a request end: aiohttp forgets a request that comes in one piece with nonsense."""
        cut: list[bytes] = []
        for at, piece in enumerate(pieces):
            while isinstance(found := self.reader.read(piece, None), WholeRequest | Plain):
                cut.append(piece[: found.size])
                piece = piece[found.size :]
            if piece:
                return [*cut, piece, *pieces[at + 1 :]]
        return cut


@asynccontextmanager
async def serving(runner: asyncio.Runner) -> AsyncIterator[Both]:
    given = new_settings(
        max_body_bytes=1024,
        max_headers=16,
        max_header_bytes=1024,
        duplicate_memory=0,
        # The loop stands still between two examples.
        overload_delay_s=0,
    )
    ours, theirs = StandIns(), StandIns()
    theirs.configured = ours.configured
    limits = {"max_line_size": 1024, "max_field_size": 1024, "max_headers": 16}
    async with (
        Client(Server(assemble(ours, given))) as client,
        TestServer(assemble(theirs, given)) as plain,
    ):
        express: Any = client.server.runner.server
        aiohttps = partial(Handler, cast(Any, plain.runner).server, loop=asyncio.get_running_loop(), **limits)
        both = Both(runner, express.reader, Side(express, ours), Side(aiohttps, theirs))
        imported = "/api/v1/workflows/import?app=a&publish=true"
        async with client.post(imported, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        for config in ({}, {"allowed_methods": ["PUT"]}, {"response": {"status": 204}}):
            wanted = {"workflow_id": workflow_id, "config": config}
            async with client.post("/api/v1/triggers", json=wanted, headers=AUTHORIZED) as answer:
                both.paths.append("/triggers/webhook/" + (await answer.json())["config"]["webhook_id"])
        both.providers["github"] = (await connect_github(client))["path"]
        both.providers["slack"] = (await connect_slack(client))["path"]
        express.aiohttp.keywords.update(limits)
        yield both


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        # What is not whole is aiohttp's in the next turn.
        patch.setattr(connection, "_PATIENCE_S", 0.0)
        patch.setattr(web_response, "SERVER_SOFTWARE", SERVER)
        made = serving(runner)
        yield runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


PATHS = (
    "{path}|{path}?a=1&a=2&b=%C3%A9+x|{path}?|{path}??x|{path}/|{path}/more|/health|{path}?a#f|{path}/../x|{path}/./x"
    "|{path}//x|{path}%20b|{path}%2fb|{path};p=1|//h{path}|http://h{path}|HTTP://h{path}|h:1|*|/|/health?x"
    "|/api/v1/triggers|/triggers/webhook/|/triggers/webhook/none||/\xe9"
)
METHODS = ["POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "post", "P"]
TARGETS = [*PATHS.split("|"), "/" + "p" * 1100]
VERSIONS = ["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1", "HTTP/1.1 ", ""]
SPACES = [" ", "  ", "\t", "", "\x0b"]
NAMES = [
    *(
        "Content-Length",
        "content-length",
        "Content_Length",
        "Transfer-Encoding",
        "TRANSFER-ENCODING",
        "Connection",
    ),
    *(
        "Transfer_Encoding",
        "Proxy-Connection",
        "Keep-Alive",
        "Host",
        "Expect",
        "Upgrade",
        "HTTP2-Settings",
        "TE",
    ),
    *("Trailer", "Content-Encoding", "Content-Type", "Cookie", "User-Agent", "Authorization", "X-A", "x-a"),
    *("X-HTTP-Method-Override", "Webhook-Id", "traceparent", "Sec-WebSocket-Key1", "Forwarded", "If-Match"),
    *("Range", "Date", "X Y", "X\x00", "X\xe9", "", "(X)"),
]
COLONS = [*[": "] * 5, ":", ":  ", ":\t", " :", " : ", "\t:", "", ":\r\n ", ":\n", ":\x00"]
VALUES = (
    "{size}|{size}|{size}|0|00|+2|-2|0x2|2, 2|2 2|2\t|0{size}|{size}\x00|18446744073709551618|9999|chunked"
    "|Chunked|chunked, chunked|gzip, chunked|identity|chunked;x|close|Close|keep-alive|Keep-Alive, close"
    "|close, keep-alive|Upgrade|Upgrade, keep-alive|websocket|h2c|100-continue|trailers|gzip|application/json"
    "|text/plain; charset=latin-1|application/x-www-form-urlencoded|h|h:80||a b|caf\xe9|\x7f|\x1b|a\x0bb|a\rb"
    "|a\nb|a\r\n b|d-1|00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01|" + "v" * 1100
).split("|")
ENDS = [*["\r\n"] * 5, "\n", "\r", "\r\r\n", "\n\r", " \r\n", "\x00\r\n"]
BODIES = [
    b"{}",
    b"",
    b"[1]",
    b"2\r\n{}\r\n0\r\n\r\n",
    b"0\r\n\r\n",
    b"a=1",
    b"{",
    b"x" * 900,
    b"x" * 1100,
    b"\xff",
]
HEADERS = st.tuples(*map(st.sampled_from, (NAMES, COLONS, VALUES, ENDS)))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """From what is right to what is hardly one."""
    odd = draw(st.integers(0, 3))
    body = draw(st.sampled_from(BODIES))

    def one_of(these: list[str], first: int = 1) -> str:
        rare = odd >= 2 and draw(st.integers(0, 4)) == 4
        return draw(st.sampled_from(these if rare else these[:first]))

    method, target, version = one_of(METHODS, 6), one_of(TARGETS, 7), one_of(VERSIONS)
    line = method + one_of(SPACES) + target + one_of(SPACES) + version + one_of(ENDS)
    head = [line]
    if draw(st.integers(0, 19)):
        head.append("Host: h\r\n")
    if draw(st.integers(0, 19)):
        head.append(f"Content-Length: {len(body)}\r\n")
    if odd:
        head += map("".join, draw(st.lists(HEADERS, max_size=2)))
    if draw(st.integers(0, 30)) == 30:
        head += [f"X-{n}: {n}\r\n" for n in range(draw(st.integers(12, 18)))]
    if odd:
        head[1:] = draw(st.permutations(head[1:]))
    before = "\r\n" * (draw(st.integers(0, 15)) == 15)
    text = before + "".join(head) + one_of(ENDS)
    return text.replace("{size}", str(len(body))).encode("latin-1") + body


@st.composite
def pieces(draw: st.DrawFn) -> list[bytes]:
    """One request after the other, some of them cut."""
    sent = []
    for request in draw(st.lists(requests(), min_size=1, max_size=3)):
        if request and draw(st.integers(0, 9)) == 9:
            at = draw(st.integers(0, len(request) - 1))
            drawn = draw(st.sampled_from([b"", b"\x00", b"\r", b"\n", b" ", b"\r\n", b":", b"a", b"\xe9"]))
            request = request[:at] + drawn + request[at + draw(st.integers(0, 1)) :]
        cuts = [0, *sorted(draw(st.lists(st.integers(0, len(request)), max_size=2))), len(request)]
        if draw(st.booleans()):
            cuts = [0, len(request)]
        sent += [request[begin:end] for begin, end in pairwise(cuts)]
    return [piece for piece in sent if piece]


_HEAD = b"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n"


@settings(max_examples=100, derandomize=True)
@example([_HEAD + b"\r\n{}" + _HEAD + b"X-A: 1\r\n\r\n{}"], 0)
@example([_HEAD + b"No-Colon\r\n\r\n{}"], 0)
@example([_HEAD + b"Proxy-Connection: close\r\n\r\n{}"], 0)
@example([_HEAD + b"Transfer-Encoding\r\n\r\n{}"], 0)
@given(pieces(), st.sampled_from([0, 0, 0, 1, 2]))
def test_both_answer_alike(both: Both, sent: list[bytes], which: int) -> None:
    path = both.paths[which].encode()
    both.compare([piece.replace(b"{path}", path) for piece in sent])


def delivery(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: h", f"Content-Length: {len(body)}")
    lines += tuple(f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join((*lines, "", "")).encode() + body


@pytest.mark.parametrize("secret", [WEBHOOK_SECRET, "another"], ids=["right", "wrong"])
@pytest.mark.parametrize("query", ["", "?a=1&a=2"], ids=["plain", "query"])
def test_both_take_and_refuse_deliveries_of_github(both: Both, secret: str, query: str) -> None:
    body = orjson.dumps({"ref": "refs/heads/main", "repository": {"full_name": "a/b"}})
    signature = f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": signature,
    }
    both.compare([delivery(both.providers["github"] + query, body, headers)] * 2)
    assert len(both.ours.stand_ins.sent.events()) == (2 if secret == WEBHOOK_SECRET else 0)


@pytest.mark.parametrize("secret", [SIGNING_SECRET, "another"], ids=["right", "wrong"])
def test_both_take_and_refuse_deliveries_of_slack(both: Both, secret: str) -> None:
    event = {"type": "message", "channel": "C1", "user": "U1", "text": "x", "ts": "1.1"}
    body = orjson.dumps(
        {"type": "event_callback", "team_id": "T1", "api_app_id": "A1", "event_id": "E1", "event": event}
    )
    headers = {"Content-Type": "application/json", **signed(body, secret, int(time.time()))}
    both.compare([delivery(both.providers["slack"], body, headers)] * 2)
    assert len(both.ours.stand_ins.sent.events()) == (2 if secret == SIGNING_SECRET else 0)


_CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/orders", "type": "order.created"}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (
            {"Content-Type": "text/plain", **{f"ce-{k}": v for k, v in _CLOUD_EVENT.items()}},
            b"two plates",
        ),
        ({"Content-Type": "application/cloudevents+json"}, orjson.dumps({**_CLOUD_EVENT, "data": [1]})),
        (
            {"Content-Type": "application/cloudevents-batch+json"},
            orjson.dumps([{**_CLOUD_EVENT, "id": str(n)} for n in range(3)]),
        ),
        ({"Content-Type": "application/cloudevents+json"}, b"{}"),
        ({"Content-Type": "application/cloudevents+avro"}, b"{}"),
    ],
    ids=["binary", "structured", "batch", "no event", "no JSON"],
)
@pytest.mark.parametrize(
    "key", [AUTHORIZED, {"Authorization": "Bearer x"}, {}], ids=["right", "wrong", "none"]
)
def test_both_take_and_refuse_cloudevents(
    both: Both, key: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    sent = delivery("/api/v1/events", body, {**key, **headers})
    assert isinstance(both.reader.read(sent, None), WholeRequest)
    both.compare([sent] * 2)
