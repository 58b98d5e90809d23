"""The bytes of an answer, as aiohttp would write them."""

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

from aiohttp import web

SERVER = "Hopline"
"""Without versions, which would tell strangers what to try."""

_JSON = "application/json"
_BARE = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
"""Have no body (RFC 9110, section 6.4.1)."""


class Ready(NamedTuple):
    """An answer of JSON, of which nothing else is to be said."""

    status: int
    body: bytes

    def response(self) -> web.Response:
        """For aiohttp."""
        return web.Response(status=self.status, body=self.body, content_type=_JSON)


def written(answer: Ready | web.Response, *, last: bool) -> bytes:
    """To a request that was not HEAD, by HTTP/1.1. `last`: the connection ends with it.

    Raises `ValueError` for a header that would end another way than in its line.
    """
    if isinstance(answer, Ready):
        if not last:
            return b"%b%d\r\n\r\n%b" % (_head(answer.status, int(time.time())), len(answer.body), answer.body)
        answer = answer.response()
    headers, body = answer.headers.copy(), answer.body or b""
    assert isinstance(body, bytes | bytearray), "doors for events answer with bytes"
    if answer.status in _BARE:
        body = b""
    else:
        headers["Content-Length"] = str(len(body))
    if body:
        headers.setdefault("Content-Type", "application/octet-stream")
    headers.setdefault("Date", _date(int(time.time())))
    headers.setdefault("Server", SERVER)
    if last:
        headers.setdefault("Connection", "close")
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{k}: {v}" for k, v in headers.items())]
    if any("\r" in line or "\n" in line or "\x00" in line for line in lines):
        raise ValueError("a header of the answer has a line break in it")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@lru_cache(maxsize=4)
def _head(status: int, at_s: int) -> bytes:
    """Up to the length of the body."""
    phrase = HTTPStatus(status).phrase
    lines = (
        f"HTTP/1.1 {status} {phrase}",
        f"Content-Type: {_JSON}",
        f"Date: {_date(at_s)}",
        f"Server: {SERVER}",
        "Content-Length: ",
    )
    return "\r\n".join(lines).encode()


@lru_cache(maxsize=2)
def _date(at_s: int) -> str:
    return formatdate(at_s, usegmt=True)
