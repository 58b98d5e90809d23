"""Avro values as they came from Kafka, put into an Avro object container file, which ClickHouse reads itself.

So no record is decoded in Python: from the framed value to the row costs a tenth of what it would. Format:
Avro specification 1.11, "Object Container Files".
"""

from collections.abc import Iterable
from typing import Any

import orjson

from schemas.avro_writer import encode_long
from schemas.codec import Codec, fingerprint, load, parse, write

_SYNC = b"hopline-sync-mrk"
"""16 bytes between blocks. Need not be random: blocks are found by their length."""


class Container:
    """Builds containers of one schema, in its current version."""

    def __init__(self, schema: str, codec: Codec) -> None:
        current = load(schema)
        self._schema = schema
        self._codec = codec
        self._parsed = parse(current)
        # What almost every value begins with. Its body is already what the container wants.
        self._frame = b"\xc3\x01" + fingerprint(current)
        self._frame_bytes = len(self._frame)
        meta = {"avro.schema": orjson.dumps(_without_docs(current)), "avro.codec": b"null"}
        self._head = b"Obj\x01" + _map(meta) + _SYNC

    def body(self, value: bytes | None) -> bytes:
        """The Avro body in the current version of the schema. Raises `UndecodableValue` for a wrong frame.

        The body behind a right frame is not looked at: ClickHouse finds what is wrong with it.
        """
        if value is not None and value.startswith(self._frame):
            return value[self._frame_bytes :]
        return write(b"", self._parsed, self._codec.decode(self._schema, value))

    def check(self, value: bytes | None) -> None:
        """Raises `UndecodableValue` for whatever is wrong with a value."""
        self._codec.decode(self._schema, value)

    def pack(self, bodies: Iterable[bytes]) -> bytes:
        """One file. Each body is a block of its own, so that a damaged one can't shift those behind it."""
        parts = [self._head]
        for body in bodies:
            parts += (b"\x02", encode_long(len(body)), body, _SYNC)
        return b"".join(parts)


def _map(entries: dict[str, bytes]) -> bytes:
    items = b"".join(encode_long(len(k)) + k.encode() + encode_long(len(v)) + v for k, v in entries.items())
    return encode_long(len(entries)) + items + encode_long(0)


def _without_docs(node: Any) -> Any:
    """ClickHouse parses the schema with each insert: a third of its text is documentation."""
    if isinstance(node, dict):
        return {key: _without_docs(value) for key, value in node.items() if key != "doc"}
    return [_without_docs(item) for item in node] if isinstance(node, list) else node
