"""TCP connections for protocols other than HTTP, each address of which passes the egress policy first."""

import asyncio
import socket
from collections.abc import Sequence

from transport.egress import EgressPolicy, EgressRefused


async def check_host(policy: EgressPolicy, host: str, port: int) -> None:
    """For clients that open their connections themselves: raises `EgressRefused` unless every address of the
    host may be connected to, and `OSError` where it has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for *_, address in found:
        if why := policy.refusal(host, port, str(address[0])):
            raise EgressRefused(why)


async def open_guarded(policy: EgressPolicy, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected, blocking socket to the first address of the host that takes the connection.

    Raises `EgressRefused` where none of its addresses may be connected to, `OSError`, and `TimeoutError`.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed, refusal = [], ""
        for family, kind, protocol, _, address in found:
            why = policy.refusal(host, port, str(address[0]))
            refusal = why or refusal
            if why is None:
                allowed.append((family, kind, protocol, address))
        if not allowed:
            raise EgressRefused(refusal or f"{host} has no address")
        return await _first(allowed, loop)


async def _first(
    addresses: Sequence[tuple[int, int, int, tuple[object, ...]]], loop: asyncio.AbstractEventLoop
) -> socket.socket:
    failed: OSError | None = None
    for family, kind, protocol, address in addresses:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.setblocking(False)
            await loop.sock_connect(opened, address)
        except OSError as error:
            opened.close()
            failed = error
        except BaseException:
            opened.close()
            raise
        else:
            opened.setblocking(True)
            # What is sent in pieces is not to wait for the acknowledgement of the first.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
    assert failed is not None, "there is an address"
    raise failed
