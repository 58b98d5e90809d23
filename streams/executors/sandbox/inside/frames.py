"""The wire format between worker and sandboxed process: a 4-byte big-endian length, then JSON."""

import os

HEADER_BYTES = 4


def header(payload: bytes) -> bytes:
    """The prefix of a frame that carries `payload`."""
    return len(payload).to_bytes(HEADER_BYTES, "big")


def payload_length(prefix: bytes) -> int:
    """The number of payload bytes that follow a header."""
    return int.from_bytes(prefix, "big")


def write_frame(fd: int, payload: bytes) -> None:
    """Writes one frame, blocking. Only read and write are used: the filter allows no sendmsg."""
    remaining = memoryview(header(payload) + payload)
    while remaining:
        remaining = remaining[os.write(fd, remaining) :]


def read_frame(fd: int) -> bytes:
    """Reads one frame, blocking. Raises `EOFError` when the other end has closed."""
    return _read_exactly(fd, payload_length(_read_exactly(fd, HEADER_BYTES)))


def _read_exactly(fd: int, size: int) -> bytes:
    chunks = []
    while size:
        chunk = os.read(fd, min(size, 1 << 20))
        if not chunk:
            raise EOFError("the worker closed the connection")
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)
