"""The way out of the sandbox, without one: what it does with names that have several addresses or change."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from streams.executors.sandbox.proxy import EgressProxy
from transport.egress import EgressPolicy

ALLOWED, OTHER, PRIVATE = "127.0.0.2", "127.0.0.3", "127.0.0.1"
HOST = "moving.example"


@asynccontextmanager
async def serving(address: str, port: int = 0) -> AsyncIterator[int]:
    """Answers each request with the address that it listens on; yields its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + address.encode())
        writer.close()

    async with await asyncio.start_server(answer, address, port) as server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
async def proxy(listener: socket.socket) -> AsyncIterator[EgressProxy]:
    proxy = EgressProxy(EgressPolicy([ALLOWED, OTHER]))
    await proxy.listen(listener)
    yield proxy
    await proxy.close()


@pytest.fixture
async def names(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What looking up `HOST` gives: each time the next of these, and an error when they are used up."""
    answers: list[list[str]] = []

    async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        assert host == HOST
        if not answers:
            raise socket.gaierror("looked up once too often")
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in answers.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return answers


async def get(proxy: EgressProxy, listener: socket.socket, port: int, *, tunnel: bool) -> str:
    """First line and body of what a script gets that asks for `HOST`."""
    with proxy.granted() as environment:
        login = urlsplit(environment["HTTP_PROXY"])
        password = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        place = f"CONNECT {HOST}:{port}" if tunnel else f"GET http://{HOST}:{port}/"
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(f"{place} HTTP/1.1\r\nProxy-Authorization: Basic {password}\r\n\r\n".encode())
        first = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[0]
        if tunnel and " 200 " in first:
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        body = (await reader.read()).decode()
        writer.close()
        return f"{first} | {body}"


@pytest.mark.parametrize("tunnel", [False, True])
async def test_a_name_that_changes_after_it_was_looked_at_gains_nothing(
    proxy: EgressProxy, listener: socket.socket, names: list[list[str]], tunnel: bool
) -> None:
    async with serving(ALLOWED) as port, serving(PRIVATE, port):
        names += [[ALLOWED], [PRIVATE]]
        assert (await get(proxy, listener, port, tunnel=tunnel)).endswith(f"| {ALLOWED}")
        assert names == [[PRIVATE]]  # the connection was made to the address that was looked at
        refused = await get(proxy, listener, port, tunnel=tunnel)
    assert refused.startswith(f"HTTP/1.1 403 Access to {HOST}:{port} ({PRIVATE}) was blocked")


async def test_of_several_addresses_the_allowed_are_tried(
    proxy: EgressProxy, listener: socket.socket, names: list[list[str]]
) -> None:
    async with serving(ALLOWED) as port, serving(PRIVATE, port):
        names += [[PRIVATE, OTHER, ALLOWED], [PRIVATE, OTHER]]
        assert (await get(proxy, listener, port, tunnel=False)).endswith(f"| {ALLOWED}")
        failed = await get(proxy, listener, port, tunnel=False)
    assert failed.startswith(f"HTTP/1.1 502 No connection to {HOST}:{port}: ")


async def test_a_name_without_an_address_is_said(
    proxy: EgressProxy, listener: socket.socket, names: list[list[str]]
) -> None:
    assert f"502 {HOST} cannot be resolved" in await get(proxy, listener, 80, tunnel=False)
    names.append([])
    assert f"403 {HOST} has no address" in await get(proxy, listener, 80, tunnel=False)
