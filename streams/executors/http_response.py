"""Reads responses of the http-request node: within bounds, and as text or as a file, as Dify tells them."""

import email.message
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from schemas.charsets import codec
from streams.executors.http_errors import ResponseSizeError
from streams.executors.settings import HttpSettings

_FILE_KINDS = frozenset({"application", "image", "audio", "video"})
_TEXT_APPLICATIONS = ("json", "xml", "javascript", "x-www-form-urlencoded", "yaml", "graphql")
_TEXT_MARKERS = (b"{", b"[", b"<", b"function", b"var ", b"const ", b"let ")
_SAMPLE_BYTES = 1024
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """A response that has arrived whole."""

    status: int
    headers: Mapping[str, str]
    """Lower-case names; several values of a name are joined with a comma."""
    content: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the status is a 2xx."""
        return 200 <= self.status < 300

    @property
    def content_type(self) -> str:
        """With its parameters."""
        return self.headers.get("content-type", "")

    @property
    def is_file(self) -> bool:
        """Judged by disposition, then by type, then by a look at the content."""
        if self._has_file_name():
            return True
        kind = self.content_type.partition(";")[0].strip().lower()
        if kind.startswith("text/") and "csv" not in kind:
            return False
        if kind.startswith("application/") and self._is_text_application(kind):
            return False
        guessed, _ = mimetypes.guess_type("dummy" + (mimetypes.guess_extension(kind) or ""))
        if guessed:
            return guessed.partition("/")[0] in _FILE_KINDS
        return any(media in kind for media in ("image/", "audio/", "video/"))

    @property
    def filename(self) -> str | None:
        """As the disposition names it; None also for a name in a charset that is none."""
        disposition = self.headers.get("content-disposition")
        try:
            return _header("content-disposition", disposition).get_filename() if disposition else None
        except UnicodeError:
            return None

    @property
    def text(self) -> str:
        """In the charset of the content type, else UTF-8; what does not decode is replaced."""
        charset = _header("content-type", self.content_type).get_content_charset("utf-8")
        try:
            return self.content.decode(codec(charset), "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def _has_file_name(self) -> bool:
        disposition = self.headers.get("content-disposition")
        if not disposition:
            return False
        parsed = _header("content-disposition", disposition)
        return parsed.get_content_disposition() == "attachment" or self.filename is not None

    def _is_text_application(self, kind: str) -> bool:
        if any(text in kind for text in _TEXT_APPLICATIONS):
            return True
        sample = self.content[:_SAMPLE_BYTES]
        try:
            sample.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return any(marker in sample for marker in _TEXT_MARKERS)


async def read_response(response: aiohttp.ClientResponse, settings: HttpSettings) -> ReadResponse:
    """Reads no more than the larger limit, after decompression. Raises `ResponseSizeError`."""
    most = max(settings.max_text_bytes, settings.max_binary_bytes)
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > most:
            break
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    read = ReadResponse(response.status, headers, b"".join(chunks))
    limit = settings.max_binary_bytes if read.is_file else settings.max_text_bytes
    if size > limit:
        kind = "File" if read.is_file else "Text"
        current = f"more than {_megabytes(most)}" if size > most else _megabytes(size)
        raise ResponseSizeError(
            f"{kind} size is too large, max size is {_megabytes(limit)}, but current size is {current}."
        )
    return read


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.2f} MB"


def _header(name: str, value: str) -> email.message.Message:
    message = email.message.Message()
    message[name] = value
    return message
