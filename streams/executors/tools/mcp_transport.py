"""The HTTP of the MCP library, over the guarded session: one guard for everything that goes out."""

from collections.abc import AsyncIterator
from typing import NoReturn

import aiohttp
import httpx2
from yarl import URL

from streams.executors.egress import EgressRefused

# Follow from how the connection is made, which is aiohttp's business.
_OWN_REQUEST_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)
# The body arrives decoded.
_OWN_RESPONSE_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
_CHUNK_BYTES = 65_536


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends what an `httpx2.AsyncClient` wants sent. It follows no redirect: the MCP library does so itself,
    within the origin, and each comes through here."""

    def __init__(self, session: aiohttp.ClientSession, max_response_bytes: int) -> None:
        """The session is a guard's and belongs to the caller. A stream of events may be longer than
        `max_response_bytes`: the library bounds each event."""
        self._session = session
        self._max_response_bytes = max_response_bytes
        self.failure: str | None = None
        """Why the last connection failed. The library tells its callers only that one was closed."""
        self.refused = False
        """Whether that was the egress policy."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`. Raises `httpx2.TransportError`."""
        timeout = request.extensions.get("timeout") or {}
        try:
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[
                    h for h in request.headers.multi_items() if h[0].lower() not in _OWN_REQUEST_HEADERS
                ],
                data=await request.aread() or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, connect=timeout.get("connect"), sock_read=timeout.get("read")
                ),
            )
        except (EgressRefused, aiohttp.ClientError, OSError, ValueError) as error:
            self._failed(error, request)
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _OWN_RESPONSE_HEADERS]
        streams = response.content_type == "text/event-stream"
        body = _Body(response, None if streams else self._max_response_bytes, self)
        return httpx2.Response(response.status, headers=headers, stream=body)

    def _failed(self, error: Exception, request: httpx2.Request) -> NoReturn:
        self.refused = isinstance(error, EgressRefused)
        self.failure = str(error) or type(error).__name__
        kind = httpx2.ReadTimeout if isinstance(error, TimeoutError) else httpx2.ConnectError
        raise kind(self.failure, request=request) from error


class _Body(httpx2.AsyncByteStream):
    """The body of a response, as it comes."""

    def __init__(
        self, response: aiohttp.ClientResponse, max_bytes: int | None, transport: GuardedTransport
    ) -> None:
        self._response = response
        self._max_bytes = max_bytes
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._response.content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if self._max_bytes is not None and size > self._max_bytes:
                    raise aiohttp.ClientPayloadError(f"the response has more than {self._max_bytes} bytes")
                yield chunk
        except (aiohttp.ClientError, OSError) as error:
            self._transport.failure = str(error) or type(error).__name__
            raise httpx2.ReadError(self._transport.failure) from error

    async def aclose(self) -> None:
        """A body that was not read to its end takes its connection with it."""
        self._response.close()
