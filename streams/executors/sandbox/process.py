"""One sandboxed process as the worker holds it: a connection, the file of what it prints, its end."""

import asyncio
import os
import socket
from dataclasses import dataclass, field

from streams.executors.sandbox.inside.frames import HEADER_BYTES, header, payload_length
from streams.executors.sandbox.zygote_link import Ended

_CHUNK_BYTES = 262_144


class ReplyTooLarge(Exception):
    """The process announced a frame beyond the limit; one of ours never does."""


@dataclass(slots=True)
class SandboxedProcess:
    """Single use: takes one request, gives one reply."""

    id: int
    connection: socket.socket
    output: int
    """Descriptor of an anonymous file in memory."""
    warm: bool = False
    """Whether it has said that it is confined and waits for its request."""
    ended: "asyncio.Future[Ended]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    async def send(self, payload: bytes) -> None:
        """Writes one frame. Raises `OSError` when the process has gone."""
        await asyncio.get_running_loop().sock_sendall(self.connection, header(payload) + payload)

    async def receive(self, limit_bytes: int) -> bytes:
        """Reads one frame. Raises `EOFError` when the process has gone, `ReplyTooLarge` over the limit."""
        size = payload_length(await self._read_exactly(HEADER_BYTES))
        if size > limit_bytes:
            raise ReplyTooLarge
        return await self._read_exactly(size)

    def printed(self, limit_bytes: int) -> str:
        """What it has printed so far, undecodable bytes replaced."""
        return os.pread(self.output, limit_bytes, 0).decode("utf-8", "replace")

    def close(self) -> None:
        """Closes this end; the process, if it still waits for a request, ends by itself."""
        if self.output >= 0:
            self.connection.close()
            os.close(self.output)
            self.output = -1

    async def _read_exactly(self, size: int) -> bytes:
        loop, chunks = asyncio.get_running_loop(), []
        while size:
            chunk = await loop.sock_recv(self.connection, min(size, _CHUNK_BYTES))
            if not chunk:
                raise EOFError("the process closed its connection")
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)
