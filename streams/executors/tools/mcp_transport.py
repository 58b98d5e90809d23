"""The HTTP of the MCP library, over the guarded session: one guard for everything that goes out."""

from collections.abc import AsyncIterator

import aiohttp
import httpx2
from mcp_types import INTERNAL_ERROR
from yarl import URL

from streams.executors.tools.http_build import Credentials
from transport.egress import EgressRefused

# Follow from how the connection is made, which is aiohttp's business.
_OWN_REQUEST_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)
# The body arrives decoded.
_OWN_RESPONSE_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})
_CHUNK_BYTES = 65_536
_SHOWN_BYTES = 1_000
_BAD_GATEWAY = 502
_SESSION_GONE = 404
"""The library knows better what it means."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends what an `httpx2.AsyncClient` wants sent, with the credentials: no library sees them, since
    they write URLs into logs. It follows no redirect: the MCP library does so itself, within the origin, and
    each comes through here."""

    def __init__(
        self, session: aiohttp.ClientSession, server: URL, credentials: Credentials, max_response_bytes: int
    ) -> None:
        """The session is a guard's and belongs to the caller. A stream of events may be longer than
        `max_response_bytes`: the library bounds each event."""
        self._session = session
        self._origin = server.origin()
        self._credentials = credentials
        self._max_response_bytes = max_response_bytes
        self.failure: str | None = None
        """Why the last request failed, if it did. The library tells its callers only that one was closed."""
        self.refused = False
        """Whether that was the egress policy."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `httpx2.AsyncBaseTransport`. A POST that fails is answered with a JSON-RPC error of ours: what
        is raised would end the session, and with it the calls of others. Any other raises
        `httpx2.TransportError`."""
        try:
            response = await self._send(request)
        except (EgressRefused, aiohttp.ClientError, OSError, ValueError) as error:
            self.refused = isinstance(error, EgressRefused)
            self.failure = str(error) or type(error).__name__
            if request.method == "POST":
                return _error(_BAD_GATEWAY, self.failure)
            raise httpx2.ConnectError(self.failure, request=request) from error
        self.failure, self.refused = None, False
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _OWN_RESPONSE_HEADERS]
        streams = response.content_type == "text/event-stream"
        body = _Body(response, None if streams else self._max_response_bytes, self)
        if request.method == "POST" and response.status >= 400 and response.status != _SESSION_GONE:
            return await _explained(response.status, headers, body)
        return httpx2.Response(response.status, headers=headers, stream=body)

    async def _send(self, request: httpx2.Request) -> aiohttp.ClientResponse:
        timeout = request.extensions.get("timeout") or {}
        url = URL(str(request.url), encoded=True)
        headers = [h for h in request.headers.multi_items() if h[0].lower() not in _OWN_REQUEST_HEADERS]
        if url.origin() == self._origin:
            url = url.extend_query(self._credentials.query)
            headers += self._credentials.headers.items()
        return await self._session.request(
            request.method,
            url,
            headers=headers,
            data=await request.aread() or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None, connect=timeout.get("connect"), sock_read=timeout.get("read")
            ),
        )


async def _explained(status: int, headers: list[tuple[str, str]], body: "_Body") -> httpx2.Response:
    """A refusal as it is where it is JSON-RPC, else one that says what the library would not: the status."""
    try:
        content = b"".join([chunk async for chunk in body])
    except httpx2.StreamError as error:
        return _error(status, str(error))
    finally:
        await body.aclose()
    if b'"jsonrpc"' in content:
        return httpx2.Response(status, headers=headers, content=content)
    said = content[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
    return _error(status, f"the server answered with status {status}" + (f": {said}" if said else ""))


def _error(status: int, message: str) -> httpx2.Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": INTERNAL_ERROR, "message": message}}
    return httpx2.Response(status, json=error)


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
            # Of all errors, one that the library takes for a failure of this request alone.
            raise httpx2.StreamError(self._transport.failure) from error

    async def aclose(self) -> None:
        """A body that was not read to its end takes its connection with it."""
        self._response.close()
