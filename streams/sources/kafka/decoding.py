"""From the bytes of a message to what a workflow gets. Pure, but for schemas that are not known yet."""

import base64
from collections.abc import Awaitable, Callable
from decimal import Decimal
from io import BytesIO
from typing import Any, Protocol

import fastavro
import orjson

from schemas.triggers.kafka import Format

_MAGIC = 0
_PREFIX_BYTES = 5
"""Confluent's wire format: a zero, then the id of the schema in four bytes, big-endian."""


class Undecodable(Exception):
    """The bytes are not in the format that they should be in. The text says why."""


class Schemas(Protocol):
    """Where schemas come from."""

    async def schema(self, schema_id: int) -> Any:
        """As fastavro has parsed it. Raises `Undecodable` where there is none, `Unavailable`."""


async def decode(content: bytes | None, kind: Format, schemas: Schemas | None) -> Any:
    """Something that JSON can hold; None for None. Raises `Undecodable`, `Unavailable`."""
    if content is None:
        return None
    return await _DECODERS[kind](content, schemas)


async def _json(content: bytes, _: Schemas | None) -> Any:
    if content[:1] == b"\0":  # no JSON begins like this: it is framed
        content = content[_PREFIX_BYTES:]
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as wrong:
        raise Undecodable(f"the message is no JSON: {wrong}") from wrong


async def _text(content: bytes, _: Schemas | None) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError as wrong:
        raise Undecodable(f"the message is no UTF-8: {wrong}") from wrong


async def _bytes(content: bytes, _: Schemas | None) -> Any:
    return base64.b64encode(content).decode()


async def _avro(content: bytes, schemas: Schemas | None) -> Any:
    if len(content) < _PREFIX_BYTES or content[0] != _MAGIC:
        raise Undecodable("the message does not begin with a zero and the id of a schema")
    if schemas is None:
        raise Undecodable("no schema registry is configured")
    schema = await schemas.schema(int.from_bytes(content[1:_PREFIX_BYTES], "big"))
    try:
        value = fastavro.schemaless_reader(BytesIO(content[_PREFIX_BYTES:]), schema, None)
        return orjson.loads(orjson.dumps(value, default=_plain))
    except Exception as wrong:  # fastavro raises what it stumbles over
        raise Undecodable(f"the message does not fit its schema: {type(wrong).__name__}: {wrong}") from wrong


_DECODERS: dict[str, Callable[[bytes, Schemas | None], Awaitable[Any]]] = {
    "json": _json,
    "avro": _avro,
    "text": _text,
    "bytes": _bytes,
}


def _plain(value: Any) -> Any:
    """Of logical types: times and UUIDs are orjson's own."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"no JSON for {type(value).__name__}")
