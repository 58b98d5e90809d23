"""The schemas of all releases at work, in a topic: so that one reads what a later one writes beside it.

Values name their schema by its fingerprint. A process that starts puts the schemas that it writes with there;
one that meets an unknown fingerprint looks for it. Avro then leaves out what the reader does not know.
Nobody needs this where there is a schema registry.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

from schemas.codec import current_schemas
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)

TOPIC = "schemas"

_TIMEOUT_S = 10.0
_LOOK_AGAIN_S = 10.0
"""For a fingerprint that was not there: it may be that of a damaged value."""


def share_schemas(settings: KafkaSettings) -> list[str]:
    """Puts ours into the topic, which must exist; the names of those that were not there. Blocks.

    A broker that fails now is logged: whoever needs a schema that is missing buries what it cannot read.
    """
    if settings.schema_registry is not None:
        return []
    try:
        known = dict(_read(settings))
        missing = {mark: schema for mark, schema in current_schemas().items() if mark.hex() not in known}
        if missing:
            _write(settings, missing)
    except (KafkaException, TimeoutError) as failed:
        log.warning("the schemas of this release could not be shared with others: %s", failed)
        return []
    return sorted(name for name, _ in missing.values())


class SharedSchemas:
    """Finds schemas of other releases. Safe to share between threads."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[str, Any]] = {}
        self._look_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def find(self, fingerprint: bytes) -> tuple[str, Any] | None:
        """Name and schema, None for one that nobody has shared. Blocks while it looks."""
        mark = fingerprint.hex()
        with self._lock:
            if mark not in self._known and time.monotonic() > self._look_at.get(mark, 0.0):
                try:
                    self._known = dict(_read(self._settings))
                except (KafkaException, TimeoutError) as failed:
                    log.warning("the schemas of other releases cannot be read: %s", failed)
                self._look_at[mark] = time.monotonic() + _LOOK_AGAIN_S
            return self._known.get(mark)


def _read(settings: KafkaSettings) -> Iterator[tuple[str, tuple[str, Any]]]:
    """All there are: fingerprint in hexadecimal digits, name and schema. Raises `TimeoutError`."""
    consumer = Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": settings.full_name("schemas"),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "log_level": 2,
        }
    )
    try:
        consumer.assign([TopicPartition(settings.full_name(TOPIC), 0, OFFSET_BEGINNING)])
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            if message is None:
                raise TimeoutError(f"no answer within {_TIMEOUT_S:g} s")
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return
                raise KafkaException(error)
            shared = orjson.loads(message.value() or b"null")
            if shared is not None:
                yield (message.key() or b"").decode(), (shared["name"], shared["schema"])
    finally:
        consumer.close()


def _write(settings: KafkaSettings, schemas: Mapping[bytes, tuple[str, Any]]) -> None:
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
    for fingerprint, (name, schema) in schemas.items():
        value = orjson.dumps({"name": name, "schema": schema})
        producer.produce(settings.full_name(TOPIC), key=fingerprint.hex().encode(), value=value)
    if producer.flush(_TIMEOUT_S):
        raise TimeoutError(f"not written within {_TIMEOUT_S:g} s")
