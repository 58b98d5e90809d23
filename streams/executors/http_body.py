"""Encodes the bodies of the http-request node. Always bytes, so that a redirect can send them again."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from json_repair import repair_json

from streams.executors.errors import FileUnreadable
from streams.executors.files import name_of
from streams.executors.http_errors import FileFetchError, RequestBodyError


@dataclass(frozen=True, slots=True)
class BodyItem:
    """One row of the body's table; text bodies have a single one without a key."""

    key: str
    value: str = ""
    files: tuple[Mapping[str, Any], ...] = ()
    """The file values of a row that is files."""
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """`content_type` is a default that the node may override, unless it is multipart."""

    content: bytes = b""
    content_type: str | None = None
    multipart: bool = False
    shown: str | None = None
    """The body for the reader of the run, where it has files in it."""


_NONE = object()

ReadFile = Callable[[Mapping[str, Any]], Awaitable[bytes]]
"""The bytes of a file value. Raises `FileUnreadable`."""


async def encode_body(kind: str, items: Sequence[BodyItem], *, boundary: str, read: ReadFile) -> Encoded:
    """Raises `RequestBodyError`, and `FileFetchError` for a file that cannot be had."""
    match kind:
        case "none":
            return Encoded()
        case "raw-text":
            return Encoded(_single(kind, items).value.encode(), "text/plain")
        case "json":
            return Encoded(await _json(_single(kind, items).value), "application/json")
        case "x-www-form-urlencoded":
            fields = {item.key: item.value for item in items}
            return Encoded(urlencode(fields).encode(), "application/x-www-form-urlencoded")
        case "form-data":
            return await _multipart(items, boundary, read)
        case "binary":
            return await _binary(_single(kind, items), read)
        case _:
            raise RequestBodyError(f"unknown body type {kind}")


def _single(kind: str, items: Sequence[BodyItem]) -> BodyItem:
    if len(items) != 1:
        raise RequestBodyError(f"{kind} body type should have exactly one item")
    return items[0]


async def _binary(item: BodyItem, read: ReadFile) -> Encoded:
    if len(item.files) != 1:
        raise FileFetchError("the body is no file: its variable does not exist, or is something else")
    content = await _read(item.files[0], read)
    return Encoded(content, shown=_file_shown(item.files[0], content))


async def _read(file: Mapping[str, Any], read: ReadFile) -> bytes:
    try:
        return await read(file)
    except FileUnreadable as unreadable:
        raise FileFetchError(str(unreadable)) from unreadable


async def _json(text: str) -> bytes:
    """Values are put into JSON as plain text, so quotes and newlines in them break it; as in Dify it is
    repaired rather than refused."""
    try:
        value = _parsed(text)
        if value is _NONE:
            # Pure Python, and slow on large input: not on the event loop.
            value = json.loads(str(await asyncio.to_thread(repair_json, text)), strict=False)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:  # half of a surrogate pair, too, and thousands of levels
        raise RequestBodyError(f"Failed to parse JSON: {text}") from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return _NONE


async def _multipart(items: Sequence[BodyItem], boundary: str, read: ReadFile) -> Encoded:
    """RFC 7578. A list of files is a part for each, under the same name; a variable that is no file is left
    out, as in Dify."""
    content, shown = bytearray(), []
    for item in items:
        if not item.is_file:
            head = f"{_part(boundary, item.key)}\r\n\r\n"
            content += f"{head}{item.value}\r\n".encode()
            shown.append(head + item.value)
        for file in item.files:
            raw = await _read(file, read)
            name, kind = escaped(name_of(file)), file.get("mime_type") or "application/octet-stream"
            head = f'{_part(boundary, item.key)}; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
            content += b"%b%b\r\n" % (head.encode(), raw)
            shown.append(head + _file_shown(file, raw))
    tail = f"--{boundary}--\r\n"
    content += tail.encode()
    content_type = f"multipart/form-data; boundary={boundary}"
    return Encoded(bytes(content), content_type, multipart=True, shown="\r\n".join([*shown, tail]))


def _part(boundary: str, name: str) -> str:
    return f'--{boundary}\r\nContent-Disposition: form-data; name="{escaped(name)}"'


def escaped(name: str) -> str:
    """As browsers do (HTML, multipart/form-data encoding algorithm)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _file_shown(file: Mapping[str, Any], content: bytes) -> str:
    return f"<{name_of(file)}, {len(content)} bytes>"
