"""Encodes the bodies of the http-request node. Always bytes, so that a redirect can send them again."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from json_repair import repair_json

from streams.executors.http_errors import FileFetchError, RequestBodyError


@dataclass(frozen=True, slots=True)
class BodyItem:
    """One row of the body's table; text bodies have a single one without a key."""

    key: str
    value: str
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class Encoded:
    """`content_type` is a default that the node may override, unless it is multipart."""

    content: bytes = b""
    content_type: str | None = None
    multipart: bool = False


async def encode_body(kind: str, items: Sequence[BodyItem], *, boundary: str) -> Encoded:
    """Raises `RequestBodyError`, and `FileFetchError` for files, which have no store yet."""
    if kind == "binary" or any(item.is_file for item in items):
        raise FileFetchError(f"cannot fetch the file of a {kind} body: files are not supported yet")
    match kind:
        case "none":
            return Encoded()
        case "raw-text":
            return Encoded(_single(kind, items).encode(), "text/plain")
        case "json":
            return Encoded(await _json(_single(kind, items)), "application/json")
        case "x-www-form-urlencoded":
            fields = {item.key: item.value for item in items}
            return Encoded(urlencode(fields).encode(), "application/x-www-form-urlencoded")
        case "form-data":
            return Encoded(_multipart(items, boundary), f"multipart/form-data; boundary={boundary}", True)
        case _:
            raise RequestBodyError(f"unknown body type {kind}")


def _single(kind: str, items: Sequence[BodyItem]) -> str:
    if len(items) != 1:
        raise RequestBodyError(f"{kind} body type should have exactly one item")
    return items[0].value


async def _json(text: str) -> bytes:
    """Values are put into JSON as plain text, so quotes and newlines in them break it; as in Dify it is
    repaired rather than refused."""
    try:
        value = json.loads(text, strict=False)
    except ValueError:
        # Pure Python, and slow on large input: not on the event loop.
        repaired = await asyncio.to_thread(repair_json, text)
        try:
            value = json.loads(str(repaired), strict=False)
        except ValueError as error:
            raise RequestBodyError(f"Failed to parse JSON: {text}") from error
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _multipart(items: Sequence[BodyItem], boundary: str) -> bytes:
    """RFC 7578; names are escaped as browsers do (HTML, multipart/form-data encoding algorithm)."""
    lines = []
    for item in items:
        name = item.key.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
        lines += [f"--{boundary}", f'Content-Disposition: form-data; name="{name}"', "", item.value]
    return "\r\n".join([*lines, f"--{boundary}--", ""]).encode()
