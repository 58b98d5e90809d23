"""A connection to a folder of an IMAP mailbox (RFC 3501), with IDLE (RFC 2177) where the server has it.

IMAPClient blocks, so each command runs in a thread of its own pool. While it waits for mail a connection
needs none: the event loop watches its socket.
"""

import asyncio
import imaplib
import logging
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Self, TypeVar

from imapclient import SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from schemas.triggers.email import EmailConfig
from streams.sources.watching import Unavailable
from transport.egress import EgressPolicy, EgressRefused
from transport.guarded_socket import open_guarded

_T = TypeVar("_T")

_CONNECT_S = 15.0
_HEADER = "BODY.PEEK[HEADER]<0.65536>"
_MOST_BESIDES = 16 << 20
"""Bytes of an answer that are no message: headers of several, and what the server has to say besides."""
_MOST_UIDS = 10_000
"""Of one search; the next one finds the rest."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a message before it is fetched."""

    uid: int
    size: int
    arrived_s: float
    """INTERNALDATE as unix time: when the server got it, to the second."""
    header: bytes
    """Its beginning, if it is very long."""


class Connections:
    """What the mailboxes of a worker share."""

    def __init__(
        self, policy: EgressPolicy, concurrency: int, timeout_s: float, *, mail_max_bytes: int
    ) -> None:
        """`concurrency`: commands at the same time. `timeout_s`: of one answer. `mail_max_bytes`: the most
        that is asked for of a message."""
        # It writes down what is said, in part, and a line for each connection that ends.
        logging.getLogger("imapclient").setLevel(logging.WARNING)
        self.policy = policy
        self.timeout_s = timeout_s
        self.most_bytes = mail_max_bytes + _MOST_BESIDES
        self.pool = ThreadPoolExecutor(concurrency, thread_name_prefix="imap")

    def close(self) -> None:
        """Does not wait for commands under way."""
        self.pool.shutdown(wait=False, cancel_futures=True)


class LoginRefused(Unavailable):
    """The password or the access token is not taken."""


class Mailbox:
    """A connection with one folder selected. Methods raise `Unavailable`; then it is of no more use."""

    def __init__(self, connections: Connections, config: EmailConfig) -> None:
        self._connections = connections
        self._config = config
        self._place = f"{config.host}:{config.server_port}"
        self._socket: socket.socket | None = None
        self._client: Any = None
        self.uidvalidity = 0
        """While it is the same, so are the messages that UIDs name."""
        self.last_uid = 0
        """No message had a greater one when the folder was opened."""

    async def open(self, token: str | None) -> Self:
        """`token`: an access token, where there is no password. Raises `LoginRefused`."""
        config = self._config
        try:
            self._socket = await open_guarded(
                self._connections.policy, config.host, config.server_port, _CONNECT_S
            )
        except (OSError, TimeoutError, EgressRefused) as error:
            raise Unavailable(f"no connection to {self._place}: {str(error) or 'no answer'}") from error
        self._client = await self._run(self._greet)
        await self._run(self._login, token)
        selected = await self._run(self._client.select_folder, config.folder, not config.mark_as_read)
        self.uidvalidity = int(selected.get(b"UIDVALIDITY", 0))
        self.last_uid = await self._last_uid(selected)
        self._idles = await self._run(self._client.has_capability, "IDLE")
        return self

    def close(self) -> None:
        """At once: a command under way fails."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            if self._client is not None:
                with suppress(OSError, IMAPClientError):
                    self._client.shutdown()
            self._socket.close()

    async def after(self, uid: int) -> list[int]:
        """The UIDs beyond that one, in order."""
        await self._run(self._client.noop)
        found = await self._run(self._client.search, ["UID", f"{uid + 1}:*"])
        # A range with a star has the last message in it, whatever the other end is.
        return sorted(one for one in found if one > uid)[:_MOST_UIDS]

    async def _last_uid(self, selected: dict[bytes, Any]) -> int:
        """RFC 3501 wants UIDNEXT of a server, and lets it be without."""
        if b"UIDNEXT" in selected:
            return int(selected[b"UIDNEXT"]) - 1
        if not selected.get(b"EXISTS"):
            return 0
        return max(await self._run(self._client.search, ["UID", "*"]), default=0)

    async def since(self, day: date) -> list[int]:
        """The UIDs of what has arrived on that day or later, by the server's calendar."""
        return sorted(await self._run(self._client.search, ["SINCE", day]))

    async def heads(self, uids: Iterable[int]) -> list[Head]:
        """In order; messages that are gone are left out."""
        wanted = list(uids)
        if not wanted:
            return []
        found = await self._run(self._client.fetch, wanted, ["RFC822.SIZE", "INTERNALDATE", _HEADER])
        return [_head(uid, found[uid]) for uid in sorted(found)]

    async def content(self, uid: int, most_bytes: int) -> bytes | None:
        """The message, or its beginning; None where it is gone."""
        found = await self._run(self._client.fetch, [uid], [f"BODY.PEEK[]<0.{most_bytes}>"])
        for name, value in found.get(uid, {}).items():
            if name.startswith(b"BODY["):
                return bytes(value or b"")
        return None

    async def mark_read(self, uid: int) -> None:
        """Sets the flag `\\Seen`."""
        await self._run(self._client.add_flags, [uid], [SEEN], True)

    async def wait(self, timeout_s: float, news: Callable[[float], Any]) -> None:
        """Until there may be new mail, or the time is over. Without IDLE, `news(timeout_s)` waits."""
        if not self._idles:
            await news(timeout_s)
            return
        if not await self._run(self._begin_idling):
            await _readable(self._client.socket(), timeout_s)
        await self._run(self._client.idle_done)

    async def _run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._connections.pool, function, *arguments)
        except LoginError as refused:
            raise LoginRefused(
                f"{self._place} does not let {self._config.username} in: {refused}"
            ) from refused
        except (IMAPClientError, OSError, ValueError) as error:
            raise Unavailable(f"{self._place}: {error or type(error).__name__}") from error

    # In a thread of the pool ----------------------------------------------------------------------------

    def _greet(self) -> IMAPClient:
        assert self._socket is not None
        self._socket.settimeout(self._connections.timeout_s)
        config = self._config
        context = ssl.create_default_context(cadata=config.certificate or None)
        if config.security == "tls":
            self._socket = context.wrap_socket(self._socket, server_hostname=config.host)
        client = _Client(self._socket, config.host, self._connections)
        client.normalise_times = False
        if config.security == "starttls":
            client.starttls(context)
            self._socket = client.socket()
        return client

    def _begin_idling(self) -> bool:
        """Whether the server has said something already, which the socket does not show any more."""
        self._client.idle()
        connected = self._client.socket()
        connected.setblocking(False)
        try:
            return bool(self._client._imap.file.peek(1))
        except OSError:
            return False
        finally:
            connected.settimeout(self._connections.timeout_s)

    def _login(self, token: str | None) -> None:
        if token is None:
            self._client.login(self._config.username, self._config.password)
            return
        try:
            self._client.oauth2_login(self._config.username, token)
        except IMAPClientError as refused:
            raise LoginError(str(refused)) from refused


class _Imap4(imaplib.IMAP4):
    """Over a connection that is there already. Reads no answer that is longer than what was asked for can be:
    whoever names a server may be who runs it."""

    def __init__(self, connected: socket.socket, host: str, most_bytes: int) -> None:
        self._connected = connected
        self._most_bytes = self._left = most_bytes
        super().__init__(host)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._connected

    def _command(self, name: str, *arguments: Any) -> Any:
        self._left = self._most_bytes
        return super()._command(name, *arguments)  # type: ignore[misc]

    def read(self, size: int) -> bytes:
        """A literal, whose length the server has announced. Raises `abort`."""
        self._spend(size)
        return super().read(size)

    def readline(self) -> bytes:
        """Likewise."""
        line = super().readline()
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise self.abort(f"an answer has more than {self._most_bytes} bytes")


class _Client(IMAPClient):  # type: ignore[misc]
    """Likewise."""

    def __init__(self, connected: socket.socket, host: str, connections: Connections) -> None:
        self._connected = connected
        self._most_bytes = connections.most_bytes
        timeout_s = connections.timeout_s
        super().__init__(host, ssl=False, timeout=SocketTimeout(timeout_s, timeout_s))

    def _create_IMAP4(self) -> imaplib.IMAP4:
        return _Imap4(self._connected, self.host, self._most_bytes)


def _head(uid: int, found: dict[bytes, Any]) -> Head:
    arrived = found.get(b"INTERNALDATE") or datetime.now(UTC)
    header = next((value for name, value in found.items() if name.startswith(b"BODY[")), b"")
    return Head(uid, int(found.get(b"RFC822.SIZE") or 0), arrived.timestamp(), bytes(header or b""))


async def _readable(watched: socket.socket, timeout_s: float) -> None:
    """Returns when there is something to read, or the time is over."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    descriptor = watched.fileno()
    loop.add_reader(descriptor, arrived.set)
    try:
        async with asyncio.timeout(timeout_s):
            await arrived.wait()
    except TimeoutError:
        return
    finally:
        loop.remove_reader(descriptor)
