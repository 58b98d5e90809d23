"""A form with one file, as HTTP carries it (RFC 7578), without holding the file in memory."""

import mimetypes
import os
import secrets
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK_BYTES = 256 * 1024


class FileForm:
    """The part `file` of a multipart form. Iterating over it gives the body, once."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        """`file` is read from where it stands and belongs to the caller."""
        boundary = secrets.token_hex(16)
        # As browsers escape names (HTML, multipart/form-data encoding algorithm).
        escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        self._head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n'
            f"Content-Type: {media_type}\r\n\r\n"
        ).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._file = file
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.size = len(self._head) + os.fstat(file.fileno()).st_size - file.tell() + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk
        yield self._tail
