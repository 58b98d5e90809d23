"""From the bytes of a request to a JSON value, by content type."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from ingress.errors import Malformed, too_large, too_slow
from ingress.express.request import EventRequest
from ingress.keys import BUDGET, SETTINGS
from ingress.multipart import Part, parts_of
from schemas.charsets import codec
from schemas.media import BYTES, FORM, MULTIPART, ContentType, content_type, encoded

_MAX_FIELDS = 1000


async def read_body(request: EventRequest) -> bytes:
    """The whole body. Raises `TooLarge` before it reads what announces itself as too large, else as soon as
    the limit is passed (`client_max_size` of the application), `Malformed` for what is not compressed as it
    says, `TooSlow`, and `Unavailable` when all requests together hold as much as they may."""
    if (request.content_length or 0) > request.client_max_size:
        raise too_large(request.client_max_size)
    budget = request.app[BUDGET]
    # Most bodies have come along with their head, and need no timer.
    if request.content.is_eof():
        raw = await _read(request)
        budget.take(request, len(raw))
        return raw
    # Before it comes: of a body that does not say how large it is, nobody knows what it will take. One that
    # is compressed says only how much is sent.
    size = None if "Content-Encoding" in request.headers else request.content_length
    budget.take(request, request.client_max_size if size is None else size)
    timeout_s = request.app[SETTINGS].body_timeout_s
    try:
        async with asyncio.timeout(timeout_s):
            raw = await _read(request)
    except TimeoutError as slow:
        raise too_slow(timeout_s) from slow
    if size is None:
        budget.give_back(request)
        budget.take(request, len(raw))
    return raw


async def _read(request: EventRequest) -> bytes:
    try:
        return await request.read()
    except web.RequestPayloadError as wrong:
        how = "Content-Encoding" if "Content-Encoding" in request.headers else "Transfer-Encoding"
        raise Malformed(f"the body is not encoded as its {how} says") from wrong


Keep = Callable[[str, str | None, bytes], Awaitable[dict[str, Any]]]
"""Stores a file of a form: name, content type and bytes to its value."""


async def parse_body(request: EventRequest, content: ContentType, raw: bytes, keep: Keep | None) -> Any:
    """JSON and forms become objects, text a string, anything else base64 with a marker, nothing None.

    `keep` is needed for forms. Raises `Malformed`, and what `keep` raises for a file.
    """
    if not raw:
        return None
    if content.is_json:
        return parse_json(raw, content.charset)
    if content.media_type == FORM:
        return parse_form(raw, content.charset)
    if content.media_type == MULTIPART and keep is not None:
        return await _parse_multipart(raw, content.boundary or "", keep)
    if content.is_text:
        return _decode(raw, content.charset)
    return encoded(raw, content.media_type) if content.given else _sniff(raw)


def parse_json(raw: bytes, charset: str | None) -> Any:
    """RFC 8259; in UTF-8 unless the charset says otherwise. Raises `Malformed` with the place."""
    try:
        if charset is None or charset.lower() in ("utf-8", "utf8", "us-ascii"):
            return orjson.loads(raw)
        return orjson.loads(_decode(raw, charset))
    except orjson.JSONDecodeError as wrong:
        raise Malformed(f"the body is not JSON: {wrong}") from wrong


def parse_form(raw: bytes, charset: str | None) -> dict[str, Any]:
    """A URL-encoded form; a name that is there several times has a list."""
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            encoding=codec(charset),
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except (ValueError, LookupError) as wrong:
        raise Malformed(f"the body is not a URL-encoded form: {wrong}") from wrong
    fields: dict[str, Any] = {}
    for name, value in pairs:
        _add(fields, name, value)
    return fields


async def _parse_multipart(raw: bytes, boundary: str, keep: Keep) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    try:
        for part in parts_of(raw, boundary, _MAX_FIELDS):
            _add(fields, part.name, await _part_value(part, keep))
    except ValueError as wrong:
        raise Malformed(f"the body is not a multipart form: {wrong}") from wrong
    return fields


async def _part_value(part: Part, keep: Keep) -> Any:
    if part.filename is None:
        return _decode(part.content, content_type(part.content_type).charset)
    return await keep(part.filename, part.content_type, part.content)


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]


def _decode(raw: bytes, charset: str | None) -> str:
    try:
        return raw.decode(codec(charset))
    except (UnicodeDecodeError, LookupError) as wrong:
        raise Malformed(f"the body is not text in {charset or 'utf-8'}: {wrong}") from wrong


def _sniff(raw: bytes) -> Any:
    """Without a content type: JSON if it is, else text if it is, else bytes."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        pass
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return encoded(raw, BYTES)
