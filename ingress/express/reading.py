"""Finds the request of an event in what a connection has brought. Pure.

It takes the plain ones, which is nearly all that producers send, and those only where there is no doubt about
a single byte: the others are aiohttp's, which reads them from their beginning.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from aiohttp import web
from multidict import CIMultiDict, istr

from ingress.express.request import Door, WholeRequest
from ingress.operation import Operation
from ingress.settings import IngressSettings

_MOST_BYTES = 64 * 1024
"""Of a body. It is in memory before it is counted, as much as aiohttp reads ahead."""

_END = b"\r\n\r\n"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_DIGITS = 8
_SEGMENT = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
"""Of a path: nothing encoded, and none that is nothing but dots."""
_QUERY = r"(?:\?(?P<query>[!\"$-~]*))?"
_LINE = re.compile(r"(?:DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT) /[!-~]* HTTP/1\.1")
_PARAMETER = re.compile(r"\{(\w+)(:\.\+)?\}")

_UNUSUAL = frozenset(
    {
        "content-encoding",
        "expect",
        "http2-settings",
        "proxy-connection",
        "sec-websocket-key1",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Say something about how the message is to be read, or what is to follow it."""

_MOST_NAMES = 512


class Plain(NamedTuple):
    """A whole request that is no event."""

    size: int
    """In bytes."""


class Unread(Enum):
    """Why there is neither."""

    PART = "more of it has to come"
    OTHER = "it is something else"


class Reader:
    """Knows the doors of an application."""

    def __init__(
        self, app: web.Application, operations: Iterable[Operation], settings: IngressSettings
    ) -> None:
        """Of the operations those that have a door, and take a POST."""
        self._app = app
        self._doors = [
            (_line(one.path), one.door)
            for one in operations
            if one.door is not None and one.method in ("POST", "*")
        ]
        self._most_head_bytes = settings.max_header_bytes
        self._most_headers = settings.max_headers
        self._most_body_bytes = settings.max_body_bytes
        self._most_whole_bytes = min(settings.max_body_bytes, _MOST_BYTES)
        self._names: dict[str, istr | None] = {}
        """As they are written: as they are looked up, None for those that are not ours to understand."""

    def read(self, data: bytes, remote: str | None) -> WholeRequest | Plain | Unread:
        """What `data` begins with. `remote`: the address that it comes from."""
        end = data.find(_END, 0, self._most_head_bytes)
        if end < 0:
            return Unread.PART if len(data) < self._most_head_bytes else Unread.OTHER
        try:
            line, *fields = data[:end].decode("ascii").split("\r\n")
        except UnicodeDecodeError:
            return Unread.OTHER
        headers = self._headers(fields)
        size = self._body_size(headers) if headers is not None else None
        if headers is None or size is None:
            return Unread.OTHER
        begin, whole = end + len(_END), end + len(_END) + size
        if len(data) < whole:
            return Unread.PART
        found = self._door(line)
        if found is None:
            return Plain(whole) if _LINE.fullmatch(line) else Unread.OTHER
        door, path, query, parameters = found
        body = data[begin:whole]
        return WholeRequest(
            self._app,
            door,
            path,
            query,
            parameters,
            CIMultiDict(headers),
            body,
            remote,
            whole,
            self._most_body_bytes,
        )

    def _door(self, line: str) -> tuple[Door, str, str, Mapping[str, str]] | None:
        """With path, query and parameters."""
        for pattern, door in self._doors:
            if (match := pattern.fullmatch(line)) is not None:
                parameters = match.groupdict("")
                return door, parameters.pop("path"), parameters.pop("query"), parameters
        return None

    def _headers(self, fields: list[str]) -> dict[istr, str] | None:
        """None where one of them is there twice, or not as plain as can be."""
        headers: dict[istr, str] = {}
        for one in fields:
            name, colon, value = one.partition(":")
            known = self._names[name] if name in self._names else self._learn(name)
            value = value.strip(" \t")
            if not colon or known is None or known in headers or not value.isprintable():
                return None
            headers[known] = value
        return headers if len(headers) <= self._most_headers else None

    def _learn(self, name: str) -> istr | None:
        lower = istr(name.lower())
        if len(self._names) >= _MOST_NAMES:
            # Whoever sends new ones all the time must not fill the memory.
            self._names.clear()
        self._names[name] = lower if _NAME.fullmatch(name) and lower not in _UNUSUAL else None
        return self._names[name]

    def _body_size(self, headers: Mapping[istr, str]) -> int | None:
        if _HOST not in headers or headers.get(_CONNECTION, _KEPT).lower() != _KEPT:
            return None
        given = headers.get(_CONTENT_LENGTH, "0")
        if not given.isdecimal() or len(given) > _MOST_DIGITS:
            return None
        size = int(given)
        return size if size <= self._most_whole_bytes else None


_HOST, _CONNECTION, _CONTENT_LENGTH = istr("host"), istr("connection"), istr("content-length")
_KEPT = "keep-alive"


def _line(path: str) -> re.Pattern[str]:
    """Of request lines to the route of that path."""
    plain, parts, at = [], [], 0
    for parameter in _PARAMETER.finditer(path):
        plain.append(path[at : parameter.start()])
        more = f"(?:/{_SEGMENT})*" if parameter[2] else ""
        parts.append(f"(?P<{parameter[1]}>{_SEGMENT}{more})")
        at = parameter.end()
    plain.append(path[at:])
    route = "".join(re.escape(text) + part for text, part in zip(plain, [*parts, ""], strict=True))
    return re.compile(f"POST (?P<path>{route}){_QUERY} HTTP/1\\.1")
