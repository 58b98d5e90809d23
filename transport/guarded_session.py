"""An HTTP client whose every connection, redirects included, passes the egress policy.

The check is made where the socket is opened, on the address that it is opened for. A name that resolves
to something else a moment later (DNS rebinding) therefore gains nothing, nor does an odd notation.
"""

import socket
from collections.abc import Container
from contextvars import ContextVar
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractCookieJar
from aiohttp.client_middlewares import ClientHandlerType, ClientMiddlewareType
from aiohttp.connector import AddrInfoType
from yarl import URL

from schemas.traces import TRACEPARENT
from transport.egress import EgressPolicy, EgressRefused
from transport.telemetry.work import CURRENT, Call, TraceHosts

_MAX_HEADER_BYTES = 65_536


@dataclass(slots=True)
class _Hop:
    """What the request under way, or the redirect it follows, asked for."""

    host: str
    port: int
    refusal: str | None = None


_hop: ContextVar[_Hop] = ContextVar("egress_hop")


class _Refused(OSError):
    """Raised inside the connector, which knows how to handle a failed connection attempt."""


class EgressGuard:
    """The policy in a session: a middleware knows the URL, the socket factory knows the address."""

    def __init__(self, policy: EgressPolicy, traced: TraceHosts | None = None) -> None:
        """`traced`: who is told of the trace of a node's request; None: nobody."""
        self._policy = policy
        self._traced = traced or TraceHosts()

    def session(self) -> aiohttp.ClientSession:
        """Shared by all nodes, so it keeps no cookies and takes no proxy from the environment."""
        connector = aiohttp.TCPConnector(limit=0, socket_factory=self._open_socket)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=_no_cookies(),
            middlewares=(self.middleware,),
            skip_auto_headers=("Content-Type",),
            max_line_size=_MAX_HEADER_BYTES,
            max_field_size=_MAX_HEADER_BYTES,
        )

    async def middleware(
        self, request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Called for each hop. Raises `EgressRefused` if no address of the host may be connected to."""
        work = CURRENT.get()
        if work is None:
            return await self._guarded(request, handler)
        call = work.call(request.method, request.url)
        self._tell(request, call)
        try:
            response = await self._guarded(request, handler)
        except BaseException as error:
            call.ended(0, type(error).__name__)
            raise
        call.ended(response.status)
        return response

    def _tell(self, request: aiohttp.ClientRequest, call: Call) -> None:
        """What the node says itself counts."""
        if call.traceparent and (request.url.host or "") in self._traced:
            request.headers.setdefault(TRACEPARENT, call.traceparent)

    async def _guarded(
        self, request: aiohttp.ClientRequest, handler: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        hop = _Hop(request.url.host or "", request.url.port or 0)
        token = _hop.set(hop)
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError as error:
            if hop.refusal is None:
                raise
            raise EgressRefused(hop.refusal) from error
        finally:
            _hop.reset(token)

    def _open_socket(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, peer = address
        hop = _hop.get()  # a request that went around the middleware fails here
        hop.refusal = self._policy.refusal(hop.host, hop.port, str(peer[0]))
        if hop.refusal is not None:
            raise _Refused(hop.refusal)
        return socket.socket(family=family, type=kind, proto=protocol)


def withhold(url: URL, secret_headers: Container[str]) -> ClientMiddlewareType:
    """Takes headers (named in small letters) off a redirect that leads away from the origin of `url`, which a
    host does not that wants to be asked by HTTPS. The client itself does so for `Authorization` only."""
    origins = {(url.scheme, url.host, url.port)}
    if url.scheme == "http" and url.port == 80:
        origins.add(("https", url.host, 443))

    async def middleware(hop: aiohttp.ClientRequest, handler: ClientHandlerType) -> aiohttp.ClientResponse:
        if (hop.url.scheme, hop.url.host, hop.url.port) not in origins:
            for name in [name for name in hop.headers if name.lower() in secret_headers]:
                hop.headers.popall(name, None)
        return await handler(hop)

    return middleware


def _no_cookies() -> AbstractCookieJar:
    return aiohttp.DummyCookieJar()
