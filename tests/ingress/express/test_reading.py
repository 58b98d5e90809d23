"""What is read without aiohttp, and what is left to it."""

import pytest
from aiohttp import web

from ingress.express.reading import Plain, Reader, Unread
from ingress.express.request import WholeRequest
from ingress.routes import OPERATIONS
from tests.ingress.stand_ins import new_settings

HEAD = b"POST /triggers/webhook/a-1 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n"
EVENT = HEAD + b"Content-Length: 2\r\n\r\n{}"


@pytest.fixture
def reader() -> Reader:
    return Reader(web.Application(), OPERATIONS, new_settings(max_headers=16, max_body_bytes=1024))


def test_an_event_is_read(reader: Reader) -> None:
    line = b"POST /triggers/webhook/a/b.c?x=1&y=%20 HTTP/1.1\r\n"
    sent = line + b"host:h\r\nX-One:  1 2 \t\r\ncontent-length: 2\r\n\r\n{}"
    read = reader.read(sent + b"POST", "10.0.0.1")
    assert isinstance(read, WholeRequest)
    assert (read.path, read.match_info) == ("/triggers/webhook/a/b.c", {"webhook_id": "a/b.c"})
    assert (read.raw_path, read.query_string) == ("/triggers/webhook/a/b.c?x=1&y=%20", "x=1&y= ")
    assert dict(read.query) == {"x": "1", "y": " "}
    assert (read.headers["x-oNE"], read.remote, read.body) == ("1 2", "10.0.0.1", b"{}")
    assert (read.body_exists, read.content_length, read.size) == (True, 2, len(sent))


def test_it_may_be_empty(reader: Reader) -> None:
    read = reader.read(HEAD + b"\r\n", None)
    assert isinstance(read, WholeRequest)
    assert (read.body, read.body_exists) == (b"", False)


def test_a_part_of_it_is_not_enough(reader: Reader) -> None:
    assert {reader.read(EVENT[:size], None) for size in range(len(EVENT))} == {Unread.PART}


@pytest.mark.parametrize("line", ["GET /health", "POST /api/v1/triggers", "POST /triggers/webhook/a%20b"])
def test_what_is_no_event_is_known_by_its_size(reader: Reader, line: str) -> None:
    sent = line.encode() + EVENT[EVENT.index(b" HTTP") :]
    assert reader.read(sent + b"more", None) == Plain(len(sent))


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Length: +2\r\n\r\n{}",
        HEAD + b"Content-Length: 2 2\r\n\r\n{}",
        HEAD + b"Content-Length:\r\n\r\n",
        HEAD + b"Content-Length: 1025\r\n\r\n",
        HEAD + b"Content-Length : 2\r\n\r\n{}",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\n",
        HEAD + b"Proxy-Connection: close\r\n\r\n",
        HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"X-\x00: 1\r\n\r\n",
        HEAD + b"X-Two: a\x00\r\n\r\n",
        HEAD + b"X-Two: a\nX-Three: b\r\n\r\n",
        HEAD + b"X-Two: a\rb\r\n\r\n",
        HEAD + b"X-Two: \xc3\xa9\r\n\r\n",
        HEAD + b"no colon\r\n\r\n",
        HEAD + b"No-Colon\r\n\r\n",
        HEAD + b": no name\r\n\r\n",
        HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(15)) + b"\r\n",
        HEAD.replace(b"Host: h\r\n", b"") + b"\r\n",
        HEAD.replace(b"1.1", b"1.0") + b"\r\n",
        HEAD.replace(b"POST", b"CONNECT") + b"\r\n",
        HEAD.replace(b"/triggers", b"http://h/triggers") + b"\r\n",
        HEAD.replace(b" /", b"  /") + b"\r\n",
        b"\r\n" + HEAD + b"\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"x" * 9000,
    ],
)
def test_where_there_is_doubt_aiohttp_reads_it(reader: Reader, sent: bytes) -> None:
    assert reader.read(sent, None) is Unread.OTHER


def test_names_that_nobody_knows_do_not_fill_the_memory(reader: Reader) -> None:
    for number in range(1000):
        assert isinstance(reader.read(HEAD + b"X-N-%d: 1\r\n\r\n" % number, None), WholeRequest)
    assert len(reader._names) <= 512
