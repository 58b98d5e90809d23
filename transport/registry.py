"""The Confluent wire format: values that name their schema by its id in a schema registry."""

import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from schemas.codec import Codec, Form, Record, SingleObjectCodec, load, parse, read, write
from schemas.errors import UndecodableValue
from schemas.topics import TOPICS
from transport.errors import TransportError
from transport.settings import KafkaSettings
from transport.shared_schemas import SharedSchemas

_MAGIC = b"\x00"
_HEADER_BYTES = 5


class RegistryUnreachable(TransportError):
    """The schema registry did not answer, or refused one of our schemas as incompatible."""


class ConfluentCodec:
    """Writes with ids that were registered at the start, reads with any id that the registry knows.

    Subjects follow Confluent's TopicNameStrategy: `<topic>-value`. Reading an id for the first time asks the
    registry and so blocks for a moment; after that it is known.
    """

    def __init__(self, settings: KafkaSettings, url: str) -> None:
        """Registers every schema of the registry of topics. Blocks. Raises `RegistryUnreachable`."""
        self._client = SchemaRegistryClient({"url": url})
        self._writers: dict[str, tuple[bytes, Form]] = {}
        self._readers: dict[bytes, Form] = {}
        for topic in TOPICS.values():
            if topic.schema is not None:
                self._register(settings.full_name(topic.name), topic.schema)

    def encode(self, schema: str, record: Mapping[str, Any]) -> bytes:
        """See `Codec.encode`."""
        header, parsed = self._writers[schema]
        return write(header, parsed, record)

    def decode(self, schema: str, value: bytes | None) -> Record:
        """See `Codec.decode`."""
        if not value or value[:1] != _MAGIC or len(value) < _HEADER_BYTES:
            raise UndecodableValue(
                f"not a value of {schema} in the Confluent wire format: no 00 and schema id"
            )
        writer = self._readers.get(value[:_HEADER_BYTES]) or self._fetch(value[:_HEADER_BYTES])
        reader = self._writers[schema][1]
        if writer.name != reader.name:
            raise UndecodableValue(f"a value of {writer.name} where {schema} was expected")
        return read(value, _HEADER_BYTES, writer, reader, schema)

    def close(self) -> None:
        """Ends the connections to the registry; what is known stays known."""
        self._client.close()

    def _register(self, topic: str, name: str) -> None:
        schema = load(name)
        try:
            schema_id = self._client.register_schema(f"{topic}-value", Schema(json.dumps(schema), "AVRO"))
        except Exception as refused:  # its own errors, and those of the HTTP library it happens to use
            raise RegistryUnreachable(
                f"the schema registry (HOPLINE_SCHEMA_REGISTRY) did not take {name} for {topic}: {refused}"
            ) from refused
        header = _MAGIC + schema_id.to_bytes(4, "big")
        parsed = self._writers[name][1] if name in self._writers else parse(schema)
        self._writers[name] = (header, parsed)
        self._readers[header] = parsed

    def _fetch(self, header: bytes) -> Form:
        schema_id = int.from_bytes(header[1:], "big")
        try:
            text = self._client.get_schema(schema_id).schema_str
        except Exception as unknown:  # as above
            raise UndecodableValue(f"the schema registry has no schema {schema_id}: {unknown}") from unknown
        self._readers[header] = parse(json.loads(text or "{}"))
        return self._readers[header]


def open_codec(settings: KafkaSettings) -> Codec:
    """The deployment's codec: its framing follows from `HOPLINE_SCHEMA_REGISTRY`. May block; call once."""
    if settings.schema_registry is None:
        return SingleObjectCodec(SharedSchemas(settings).find)
    return ConfluentCodec(settings, settings.schema_registry)
