"""Encodes the body of a tool's request. Always bytes, so that a redirect can send them again."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from schemas.files import is_file
from schemas.openapi import Body
from streams.executors.files import name_of
from streams.executors.http_body import ReadFile, escaped
from streams.executors.tools.errors import ToolParameterError
from streams.executors.tools.http_build import form_pairs
from streams.executors.tools.http_values import plain


async def encode_body(body: Body, fields: Any, read: ReadFile, boundary: str) -> tuple[bytes, str]:
    """The bytes and their content type. `fields` is what `body_fields` gives; `read` gives the bytes of a
    file value, and what it raises passes through. Raises `ToolParameterError`."""
    kind = body.media_type
    if kind == "multipart/form-data" and isinstance(fields, Mapping):
        return await _multipart(fields, read, boundary), f"{kind}; boundary={boundary}"
    if is_file(fields):
        return await read(fields), kind
    if kind == "application/x-www-form-urlencoded" and isinstance(fields, Mapping):
        return urlencode(form_pairs(fields)).encode(), kind
    if kind.startswith("text/") or (isinstance(fields, str) and "json" not in kind):
        return plain(fields).encode(), kind
    if "json" in kind or kind == "*/*":
        return json.dumps(fields, ensure_ascii=False).encode(), "application/json" if kind == "*/*" else kind
    raise ToolParameterError(f"a body of type {kind} takes a text or a file")


async def _multipart(fields: Mapping[str, Any], read: ReadFile, boundary: str) -> bytes:
    """RFC 7578; names are escaped as browsers do (HTML, multipart/form-data encoding algorithm)."""
    parts: list[bytes] = []
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            head, content = f'name="{escaped(name)}"', b""
            if is_file(one):
                kind = one.get("mime_type") or "application/octet-stream"
                head += f'; filename="{escaped(name_of(one))}"\r\nContent-Type: {escaped(str(kind))}'
                content = await read(one)
            else:
                content = plain(one).encode()
            parts.append(f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode())
            parts.append(content + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()])
