"""A request to a door for events: what doors use of one of aiohttp's, and one that has come whole."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from aiohttp import web
from multidict import MultiMapping
from yarl import URL

from ingress.express.response import Ready


class Content(Protocol):
    """The body, which may still be coming."""

    def is_eof(self) -> bool:
        """Whether all of it is here."""
        ...


class EventRequest(Protocol):
    """Names and meanings are those of `web.Request`, which is one."""

    @property
    def app(self) -> web.Application: ...
    @property
    def scheme(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def raw_path(self) -> str: ...
    @property
    def query(self) -> MultiMapping[str]: ...
    @property
    def query_string(self) -> str: ...
    @property
    def match_info(self) -> Mapping[str, str]: ...
    @property
    def headers(self) -> MultiMapping[str]: ...
    @property
    def remote(self) -> str | None: ...
    @property
    def body_exists(self) -> bool: ...
    @property
    def content_length(self) -> int | None: ...
    @property
    def content(self) -> Content: ...
    @property
    def client_max_size(self) -> int: ...
    async def read(self) -> bytes: ...


Door = Callable[[EventRequest], Awaitable[Ready | web.Response]]
"""Takes the events of a request."""


class _Whole:
    def is_eof(self) -> bool:
        return True


_WHOLE = _Whole()


class WholeRequest(NamedTuple):
    """An `EventRequest` that has come with all of its body."""

    app: web.Application
    door: Door
    """Who is to answer it."""
    path: str
    """Without anything encoded in it."""
    raw_query: str
    """As it was sent."""
    match_info: Mapping[str, str]
    headers: MultiMapping[str]
    body: bytes
    remote: str | None
    size: int
    """Of all of it, in bytes."""
    client_max_size: int
    scheme: str = "http"
    method: str = "POST"

    @property
    def host(self) -> str:
        return self.headers["Host"]

    @property
    def raw_path(self) -> str:
        return f"{self.path}?{self.raw_query}" if self.raw_query else self.path

    @property
    def query(self) -> MultiMapping[str]:
        return self._url.query

    @property
    def query_string(self) -> str:
        return self._url.query_string if self.raw_query else ""

    @property
    def body_exists(self) -> bool:
        return bool(self.body)

    @property
    def content_length(self) -> int:
        return len(self.body)

    @property
    def content(self) -> Content:
        return _WHOLE

    async def read(self) -> bytes:
        return self.body

    @property
    def _url(self) -> URL:
        """As aiohttp's parser makes it."""
        return URL.build(path=self.path, query_string=self.raw_query, encoded=True)
