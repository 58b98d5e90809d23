"""Takes all connections that wait in each turn of the event loop: who is not taken cannot be refused either.

The loop's own servers would take fewer. libuv, and so uvloop, takes one in a turn since its release 1.45: a
process that is short of CPU has a few turns a second, and producers open a connection whenever none is idle.
The kernel's queue was full then, and what it drops gets no answer at all.
"""

import asyncio
import errno
import logging
import select
import socket
from collections.abc import Callable
from typing import Protocol

from transport.descriptors import allow_descriptors

_log = logging.getLogger(__name__)

_BACKLOG = 65_535
"""Connections that wait to be taken; the kernel makes it less (`net.core.somaxconn`)."""

_TURN = 16
"""Made ready in one turn, so that those who are connected get theirs."""
_REFUSED = 1024
"""Looked at in one turn: to refuse one costs much less."""

_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_OURS = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
"""No fault of a connection: the next attempt would bring the same."""
_PAUSE_S = 0.5
"""Where the system has nothing left for one more connection. They wait in the queue meanwhile."""


class Doorkeeper(Protocol):
    """Decides on connections."""

    def turned_away(self, connection: socket.socket) -> bool:
        """Whether it has dealt with the connection, which does not block, and closed it."""
        ...

    def taken(self, all_of_them: bool) -> None:
        """Told in each turn in which some have come, whether any is left for the next one."""
        ...


class Listener:
    """Listens on all addresses of a host, and makes a protocol for each connection."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.BaseProtocol],
        doorkeeper: Doorkeeper,
        sockets: list[socket.socket],
    ) -> None:
        """See `listen`."""
        self._protocol = protocol
        self._doorkeeper = doorkeeper
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[object]] = set()
        for listening in sockets:
            self._watch(listening)

    @property
    def port(self) -> int:
        """Of the first address."""
        return int(self._sockets[0].getsockname()[1])

    def close(self) -> None:
        """Those that wait are still taken; whoever comes later is refused. Idempotent."""
        sockets, self._sockets = self._sockets, []
        for listening in sockets:
            self._loop.remove_reader(listening)
            while (connection := self._accepted(listening)) is not None:
                self._take(connection)
            listening.close()

    def _watch(self, listening: socket.socket) -> None:
        # It may have been closed in a pause.
        if listening.fileno() >= 0:
            self._loop.add_reader(listening, self._take_turn, listening)

    def _take_turn(self, listening: socket.socket) -> None:
        made = 0
        for _ in range(_REFUSED):
            if (connection := self._accepted(listening)) is None:
                self._doorkeeper.taken(all_of_them=True)
                return
            made += self._take(connection)
            if made == _TURN:
                break
        # Asked rather than taken for granted: the last one may have been the last, and no turn would follow.
        self._doorkeeper.taken(all_of_them=not _is_awaited(listening))

    def _accepted(self, listening: socket.socket) -> socket.socket | None:
        """None where nobody waits, or nobody can be taken now."""
        while True:
            try:
                connection, _ = listening.accept()
            except BlockingIOError:
                return None
            except OSError as refused:
                if refused.errno in _OURS:
                    raise
                if refused.errno not in _FULL:
                    # Of one that has gone before it was taken: the next one may be there.
                    continue
                _log.error("no connection can be taken for %g s: %s", _PAUSE_S, refused.strerror)
                self._loop.remove_reader(listening)
                self._loop.call_later(_PAUSE_S, self._watch, listening)
                return None
            connection.setblocking(False)
            return connection

    def _take(self, connection: socket.socket) -> bool:
        """Whether it gets a protocol."""
        if self._doorkeeper.turned_away(connection):
            return False
        connecting = self._loop.create_task(self._connect(connection))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)
        return True

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:
            # It has gone.
            connection.close()


def _is_awaited(listening: socket.socket) -> bool:
    """Whether a connection waits to be taken."""
    ready = select.poll()
    ready.register(listening, select.POLLIN)
    return bool(ready.poll(0))


async def listen(
    host: str,
    port: int,
    protocol: Callable[[], asyncio.BaseProtocol],
    doorkeeper: Doorkeeper,
) -> Listener:
    """Listens until it is closed; port 0 takes a free one. Raises `OSError` where it cannot.

    The process may have as many connections from now on as the system lets it have.
    """
    allow_descriptors()
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, address in dict.fromkeys((one[0], one[4]) for one in found):
            listening = socket.create_server(address, family=family, backlog=_BACKLOG)
            sockets.append(listening)
            listening.setblocking(False)
    except OSError:
        for listening in sockets:
            listening.close()
        raise
    return Listener(protocol, doorkeeper, sockets)
