"""Avro values on the wire, in one of two framings.

Single-object encoding (Avro specification 1.11, "Single-object encoding"): C3 01, the CRC-64-AVRO fingerprint
of the writer's schema as 8 little-endian bytes, the body. Confluent wire format: 00, the registry's schema id
as 4 big-endian bytes, the body. Timestamps are plain integers (microseconds) on both sides.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import fastavro
import fastavro.schema

from schemas.avro_writer import Write, writer_for
from schemas.errors import UndecodableValue, UnencodableValue

Record = dict[str, Any]

_DIRECTORY = Path(__file__).parent / "avro"
_MARKER = b"\xc3\x01"
_HEADER_BYTES = 10


class Codec(Protocol):
    """Both framings. Safe to share; never blocks, once the ids of a registry are known."""

    def encode(self, schema: str, record: Mapping[str, Any]) -> bytes:
        """The framed value. Raises `UnencodableValue`."""

    def decode(self, schema: str, value: bytes | None) -> Record:
        """The record, as the current version of `schema` sees it. Raises `UndecodableValue`."""


def schema_names() -> list[str]:
    """The names of the current schemas, sorted."""
    return sorted(f.name[len("hopline.") : -len(".avsc")] for f in _DIRECTORY.glob("*.avsc"))


@cache
def load(name: str) -> Any:
    """The current schema with the schemas that it refers to put in their places, as JSON values."""
    return fastavro.schema.load_schema(str(_DIRECTORY / f"hopline.{name}.avsc"), _write_hint=False)


def history(name: str) -> list[Any]:
    """The schemas of earlier releases that data of this name may still be written with, oldest first."""
    return [json.loads(f.read_text()) for f in sorted((_DIRECTORY / "history" / name).glob("*.avsc"))]


def fingerprint(schema: Any) -> bytes:
    """CRC-64-AVRO of the schema's Parsing Canonical Form, as the 8 bytes that single-object encoding puts."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    # fastavro gives the hex digits in the order in which the bytes travel.
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


@dataclass(frozen=True)
class Form:
    """A schema, ready for reading and writing."""

    name: str
    avro: Any
    """As fastavro wants it."""

    @cached_property
    def write(self) -> Write | None:
        """Made for it when the first value is written; None: fastavro's is used."""
        return writer_for(self.avro)


def parse(schema: Any) -> Form:
    """Without logical types: a timestamp stays the integer that it is."""
    avro: Any = fastavro.parse_schema(_plain(schema), named_schemas={})
    return Form(avro["name"], avro)


FindSchema = Callable[[bytes], tuple[str, Any] | None]
"""The name and the schema with a fingerprint, None for one that nobody knows. May block."""


def current_schemas() -> dict[bytes, tuple[str, Any]]:
    """Fingerprint -> name and schema, of what this release writes."""
    return {fingerprint(schema): (name, schema) for name in schema_names() for schema in (load(name),)}


class SingleObjectCodec:
    """The default framing: a consumer needs the `.avsc` files, and for what a later release writes `find`."""

    def __init__(self, find: FindSchema | None = None) -> None:
        self._find = find
        self._writers: dict[str, tuple[bytes, Form]] = {}
        self._readers: dict[bytes, tuple[str, Form]] = {}
        for name in schema_names():
            for schema in history(name):
                self._readers[fingerprint(schema)] = (name, parse(schema))
            current = load(name)
            mark, form = fingerprint(current), parse(current)
            self._writers[name], self._readers[mark] = (_MARKER + mark, form), (name, form)

    def encode(self, schema: str, record: Mapping[str, Any]) -> bytes:
        """See `Codec.encode`."""
        header, parsed = self._writers[schema]
        return write(header, parsed, record)

    def decode(self, schema: str, value: bytes | None) -> Record:
        """See `Codec.decode`."""
        if not value or value[:2] != _MARKER:
            raise UndecodableValue(
                f"not an Avro single-object value of {schema}: it does not start with C3 01"
            )
        name, writer = self._readers.get(value[2:_HEADER_BYTES]) or self._learn(value[2:_HEADER_BYTES])
        if name != schema:
            raise UndecodableValue(f"a value of {name} where {schema} was expected")
        return read(value, _HEADER_BYTES, writer, self._writers[schema][1], schema)

    def _learn(self, mark: bytes) -> tuple[str, Form]:
        found = self._find(mark) if self._find is not None else None
        if found is None:
            raise UndecodableValue(f"schema fingerprint {mark.hex()} is unknown: written by a newer release?")
        name, schema = found
        self._readers[mark] = name, parse(schema)
        return self._readers[mark]


def write(header: bytes, form: Form, record: Mapping[str, Any]) -> bytes:
    """`header` followed by the Avro body. Raises `UnencodableValue`."""
    try:
        if (made := form.write) is not None:
            return made(header, record)
        out = BytesIO()
        fastavro.schemaless_writer(out, form.avro, record)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, struct.error) as wrong:
        raise UnencodableValue(f"{form.name}: {wrong}") from wrong
    return header + out.getvalue()


def read(value: bytes, start: int, writer: Form, reader: Form, name: str) -> Record:
    """The body of `value` from `start`, resolved from the writer's to the reader's schema."""
    body = BytesIO(value)
    body.seek(start)
    try:
        record = fastavro.schemaless_reader(body, writer.avro, None if writer is reader else reader.avro)
    except Exception as wrong:  # fastavro raises whatever the damaged bytes lead it to
        raise UndecodableValue(f"damaged {name}: {wrong!r}") from wrong
    if not isinstance(record, dict) or body.read(1):
        raise UndecodableValue(f"damaged {name}: bytes are left over")
    return record


def _plain(node: Any) -> Any:
    """The schema without logical types and documentation, which the binary form does not depend on."""
    if isinstance(node, dict):
        plain = {key: _plain(value) for key, value in node.items() if key not in ("logicalType", "doc")}
        return plain["type"] if set(plain) == {"type"} else plain
    return [_plain(item) for item in node] if isinstance(node, list) else node
