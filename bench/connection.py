"""A lean HTTP/1.1 client: the driver shares the machine with what it measures, so it must cost little.

One request costs about a fifth of what it costs with a full client. It knows what the answers to a webhook
need: a status line, `content-length` or chunks, `connection: close`.
"""

import asyncio
import re
from types import TracebackType
from typing import NamedTuple, Protocol, Self
from urllib.parse import SplitResult, urlsplit

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"


class Target(Protocol):
    """Where requests go, and what they are."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    def request(self, delivery_id: str, body: bytes) -> bytes:
        """The bytes of one POST."""
        ...


class Endpoint:
    """Where requests go: a URL and the header that carries the delivery id."""

    def __init__(self, url: str, id_header: str) -> None:
        parts: SplitResult = urlsplit(url)
        assert parts.hostname, f"{url} has no host"
        assert parts.port, f"{url} has no port"
        self.url = url
        self.host, self.port = parts.hostname, parts.port
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = (f"POST {target} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json")
        self._head = "\r\n".join((*lines, f"{id_header}: ")).encode()

    def request(self, delivery_id: str, body: bytes) -> bytes:
        """The bytes of one POST."""
        return b"%s%s\r\ncontent-length: %d\r\n\r\n%s" % (self._head, delivery_id.encode(), len(body), body)


class Answer(NamedTuple):
    """What came back."""

    status: int
    content: bytes
    """As it was sent."""
    retry_after_s: int
    """What a refusal asks for; 0 where it asks for nothing."""


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request at a time, opened when it is first needed. Async context."""

    def __init__(self, endpoint: Target) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._received = b""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def post(self, delivery_id: str, body: bytes, timeout_s: float = 60.0) -> Answer:
        """One request.

        Raises `OSError` when there is no answer: refused, closed, or later than `timeout_s` (`TimeoutError`).
        The next call connects again.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                if self._transport is None or self._transport.is_closing():
                    self._transport, _ = await loop.create_connection(
                        lambda: self, self._endpoint.host, self._endpoint.port
                    )
                self._received, self._answer = b"", loop.create_future()
                self._transport.write(self._endpoint.request(delivery_id, body))
                return await self._answer
        except BaseException:
            # An answer that comes later would be taken for that of the next request.
            self.close()
            raise

    def close(self) -> None:
        """Idempotent."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._answer is None or self._answer.done():
            return
        head, separator, content = self._received.partition(b"\r\n\r\n")
        if separator and _is_whole(head, content):
            again = _RETRY_AFTER.search(head)
            self._answer.set_result(Answer(int(head[9:12]), content, int(again[1]) if again else 0))
            if _CLOSE.search(head):
                self.close()


def _is_whole(head: bytes, content: bytes) -> bool:
    if length := _LENGTH.search(head):
        return len(content) >= int(length[1])
    return content.endswith(_LAST_CHUNK) if _CHUNKED.search(head) else True
