"""Parsing processes as the worker sees them: a document in, its text out."""

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import Self

import orjson

from streams.executors.documents.inside.errors import BY_NAME, TextExtractionError
from streams.executors.documents.inside.limits import Limits
from streams.executors.documents.settings import DocumentSettings
from streams.executors.sandbox.inside.frames import HEADER_BYTES, header, payload_length

log = logging.getLogger(__name__)

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 5.0
_GRACE_S = 5.0
"""After the deadline that the process has set itself."""
_REFUSAL_BYTES = 16_384


class ParserLost(Exception):
    """No parsing process can be had on this machine now: not the document's fault."""


class DocumentParsers:
    """An async context manager. Any number of `text_of` may be under way; some wait for their turn.

    The server that forks starts with the first document: a worker without documents pays nothing.
    """

    def __init__(self, settings: DocumentSettings) -> None:
        self._settings = settings
        self._limits = Limits(
            timeout_s=settings.timeout_s,
            memory_bytes=settings.memory_mb << 20,
            unpacked_bytes=settings.max_unpacked_mb << 20,
            text_bytes=settings.max_text_mb << 20,
        )
        self._turns = asyncio.Semaphore(settings.processes)
        self._starting = asyncio.Lock()
        self._server: _Server | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.close()

    async def text_of(self, content: bytes, extension: str, mime_type: str) -> str:
        """The format is told by `extension`, without one by `mime_type`.

        Raises `TextExtractionError`, `UnsupportedFileTypeError`; `ParserLost` for a fault of this machine.
        """
        if len(content) > self._settings.max_file_mb << 20:
            raise TextExtractionError(
                f"The document has {len(content)} bytes, the limit is {self._settings.max_file_mb} MB"
                " (HOPLINE_DOCUMENTS_MAX_FILE_MB)"
            )
        async with self._turns:
            connection = await self._connection()
            return await self._converse(connection, content, {"extension": extension, "mime_type": mime_type})

    async def _connection(self) -> socket.socket:
        """To a fresh process. A server that has died is replaced, once."""
        for _ in range(2):
            async with self._starting:
                if self._server is None:
                    self._server = await _Server.start(self._limits)
                server = self._server
            try:
                return server.fork()
            except OSError as error:
                log.warning("the parsing server is gone (%s); starting another", error)
                self._server = None
                await server.close()
        raise ParserLost("the parsing server does not stay alive")

    async def _converse(self, connection: socket.socket, content: bytes, about: dict[str, str]) -> str:
        reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self._limits.timeout_s + _GRACE_S):
                for frame in (orjson.dumps(about), content):
                    writer.writelines((header(frame), frame))
                await writer.drain()
                return self._parsed(await self._frame(reader))
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
            if loop.time() - started >= self._limits.timeout_s:
                raise TextExtractionError(
                    f"The document took more than {self._limits.timeout_s:g} s (HOPLINE_DOCUMENTS_TIMEOUT_S)"
                ) from error
            raise TextExtractionError(
                "The parser ended without a result: the document is damaged, or needs more than"
                f" {self._settings.memory_mb} MB of memory (HOPLINE_DOCUMENTS_MEMORY_MB)"
            ) from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _frame(self, reader: asyncio.StreamReader) -> bytes:
        size = payload_length(await reader.readexactly(HEADER_BYTES))
        if size > self._limits.text_bytes + _REFUSAL_BYTES:
            raise TextExtractionError("The parser announced more text than it may give")
        return await reader.readexactly(size)

    @staticmethod
    def _parsed(frame: bytes) -> str:
        if frame.startswith(b"+"):
            return frame[1:].decode("utf-8", "replace")
        refusal = orjson.loads(frame[1:])
        raise BY_NAME.get(refusal["error_type"], TextExtractionError)(refusal["error"])


class _Server:
    """The process that forks; ends when its socket closes."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket) -> None:
        self._process = process
        self._control = control

    @classmethod
    async def start(cls, limits: Limits) -> Self:
        """Raises `ParserLost`."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            server = cls(_launch(theirs, limits), ours)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                greeting = await asyncio.get_running_loop().sock_recv(ours, 16)
        except (TimeoutError, OSError) as error:
            greeting = repr(error).encode()
        if greeting != b"ready":
            await server.close()
            raise ParserLost("the parsing server did not start; its standard error says why")
        return server

    def fork(self) -> socket.socket:
        """A connection to a fresh process. Raises `OSError` when the server is gone."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                socket.send_fds(self._control, [b"document"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        return ours

    async def close(self) -> None:
        """Its forks end with it."""
        self._control.close()
        try:
            await asyncio.to_thread(self._process.wait, _STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


def _launch(control: socket.socket, limits: Limits) -> "subprocess.Popen[bytes]":
    module = "streams.executors.documents.inside.server"
    return subprocess.Popen(  # noqa: S603 - our own interpreter and line
        [
            sys.executable,
            "-I",
            "-X",
            "utf8",
            "-m",
            module,
            str(control.fileno()),
            orjson.dumps(asdict(limits)),
        ],
        env={},  # no secrets where documents of strangers are parsed
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[control.fileno()],
        start_new_session=True,  # a Ctrl-C at the terminal is the worker's to handle
    )
