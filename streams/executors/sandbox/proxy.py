"""The one way out of the sandbox: an HTTP proxy that connects where the egress policy allows.

It listens on a socket that lives in the network namespace of the scripts, where there is nothing else. Each
script has a password of its own, which ends with the script, as do its connections. Names are resolved here
and connected to by address, so that one which changes meanwhile gains nothing.
"""

import asyncio
import base64
import contextlib
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streams.executors.sandbox.inside.spec import PROXY_PORT
from transport.egress import EgressPolicy

logger = logging.getLogger(__name__)

_HEAD_TIMEOUT_S = 10.0
_CONNECT_TIMEOUT_S = 10.0
_MAX_HEAD_BYTES = 65_536
_CHUNK_BYTES = 65_536
_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


class _Refusal(Exception):
    """Answered to the script: a status and, as its reason phrase, what is wrong."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Request:
    """What a script asks of the proxy."""

    host: str
    port: int
    head: bytes
    """To be sent on; empty for a tunnel."""
    password: str


@dataclass(slots=True)
class _Grant:
    """What a script has open, as long as it runs."""

    connections: "set[asyncio.Task[None]]" = field(default_factory=set)


class EgressProxy:
    """Serves the sockets that it is given, one after the other. Used on the loop's thread."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._policy = policy
        self._grants: dict[str, _Grant] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, listener: socket.socket) -> None:
        """From now on on this socket: the former one has gone with its zygote."""
        await self.close()
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=_MAX_HEAD_BYTES)

    async def close(self) -> None:
        """Takes no more connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    @contextmanager
    def granted(self) -> Iterator[dict[str, str]]:
        """The environment variables that let a script out while the block lasts."""
        password = secrets.token_urlsafe(24)
        grant = self._grants[password] = _Grant()
        try:
            yield dict.fromkeys(_VARIABLES, f"http://script:{password}@127.0.0.1:{PROXY_PORT}")
        finally:
            del self._grants[password]
            for connection in grant.connections:
                connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            with self._connection_of(request):
                await self._forward(request, reader, writer)
        except _Refusal as refusal:
            logger.info("sandbox: %s", refusal)
            await _answer(writer, refusal)
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # either end is gone, or the script is: nobody is there to be told
        finally:
            writer.close()

    @contextmanager
    def _connection_of(self, request: _Request) -> Iterator[None]:
        """Makes the connection one of the script's. Raises `_Refusal` for a wrong password."""
        grant, task = self._grants.get(request.password), asyncio.current_task()
        if grant is None or task is None:
            raise _Refusal(407, "The proxy wants the password of HTTP_PROXY")
        grant.connections.add(task)
        try:
            yield
        finally:
            grant.connections.discard(task)

    async def _forward(
        self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async with self._connected(request.host, request.port) as (peer_reader, peer_writer):
            if request.head:
                peer_writer.write(request.head)
            else:
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            await asyncio.gather(_copy(reader, peer_writer), _copy(peer_reader, writer))

    @asynccontextmanager
    async def _connected(
        self, host: str, port: int
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Raises `_Refusal` when no address of the host may be, or can be, connected to."""
        failure = ""
        for address in await self._allowed_addresses(host, port):
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(address, port)
                break
            except OSError as error:  # a TimeoutError is one, too
                failure = str(error) or "timeout"
        else:
            raise _Refusal(502, f"No connection to {host}:{port}: {failure}")
        try:
            yield reader, writer
        finally:
            writer.close()

    async def _allowed_addresses(self, host: str, port: int) -> list[str]:
        """Never empty."""
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _Refusal(502, f"{host} cannot be resolved: {str(error) or 'timeout'}") from error
        refusals = {str(peer[0]): self._policy.refusal(host, port, str(peer[0])) for *_, peer in found}
        allowed = [address for address, refusal in refusals.items() if refusal is None]
        if not allowed:
            raise _Refusal(403, next(iter(refusals.values()), None) or f"{host} has no address")
        return allowed


async def _read_request(reader: asyncio.StreamReader) -> _Request:
    """Raises `_Refusal` for what is no request to a proxy, `EOFError` when there is none."""
    try:
        async with asyncio.timeout(_HEAD_TIMEOUT_S):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise _Refusal(431, "The head of the request is too long") from error
    except TimeoutError as error:
        raise _Refusal(408, "The head of the request did not come in time") from error
    try:
        return _parse(head)
    except ValueError as error:
        raise _Refusal(400, "Not a request to a proxy") from error


def _parse(head: str) -> _Request:
    """Raises `ValueError`."""
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    tunnel = method == "CONNECT"
    url = urlsplit(f"//{target}" if tunnel else target)
    port = url.port or (None if tunnel else 80)
    if not url.hostname or not port or not (tunnel or url.scheme == "http"):
        raise ValueError(target)
    headers = [(line.partition(":")[0].strip().lower(), line) for line in lines]
    password = next((_password(line) for name, line in headers if name == "proxy-authorization"), "")
    if tunnel:
        return _Request(url.hostname, port, b"", password)
    # One request for each connection: the next one may be for another host, and would not be looked at.
    kept = [
        line for name, line in headers if name not in ("connection", "keep-alive") and name[:6] != "proxy-"
    ]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
    return _Request(url.hostname, port, "\r\n".join(lines).encode("latin-1"), password)


def _password(header: str) -> str:
    scheme, _, credentials = header.partition(":")[2].strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    return base64.b64decode(credentials).decode("latin-1").partition(":")[2]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the one end has no more to say, which the other end is then told."""
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _answer(writer: asyncio.StreamWriter, refusal: _Refusal) -> None:
    """As the reason phrase, for that is what clients show when a tunnel is refused."""
    reason = " ".join(str(refusal).split()).encode("latin-1", "replace").decode("latin-1")
    head = [f"HTTP/1.1 {refusal.status} {reason}", "Content-Type: text/plain", "Connection: close"]
    if refusal.status == 407:
        head.append('Proxy-Authenticate: Basic realm="sandbox"')
    body = f"{reason}\n"
    head += [f"Content-Length: {len(body)}", "", body]
    with contextlib.suppress(OSError):
        writer.write("\r\n".join(head).encode("latin-1"))
        await writer.drain()
