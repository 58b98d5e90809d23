"""Consumes topics of other Kafkas: each message becomes an event, once.

A message is named by its topic, partition, offset and timestamp. The offsets of the group are committed when
our broker has confirmed the events; what a crash repeats has the same names.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.event_data import MOST_LEVELS, dump_data
from schemas.plugins.http import Http
from schemas.topics import MAX_MESSAGE_BYTES
from schemas.traces import TRACEPARENT
from schemas.triggers.kafka import KafkaConfig
from streams.dead_letters import dead_letter
from streams.shell.stage import Record
from streams.sources.events import SourceEvent
from streams.sources.kafka.consumer import GroupConsumer, begin_ms
from streams.sources.kafka.decoding import Undecodable, decode
from streams.sources.kafka.registry import Registry
from streams.sources.watching import Unavailable, Watch
from transport.egress import EgressPolicy
from transport.producer import Send

_MOST_BYTES = MAX_MESSAGE_BYTES - 1024 * 1024
"""Of an event as JSON, so that its envelope and a trigger log fit around it."""

_SURELY_FITS_BYTES = _MOST_BYTES // 6
"""The most that a byte takes in JSON are six."""

_SLICE = 20
"""Messages that are decoded before others have their turn."""


class KafkaSource:
    """The `SourceKind` of topics."""

    type: ClassVar[str] = KafkaConfig.type

    def __init__(
        self, policy: EgressPolicy, http: Http, codec: Codec, *, most_consumers: int, timeout_s: float
    ) -> None:
        """`most_consumers`: in this worker."""
        self._policy = policy
        self._http = http
        self._codec = codec
        self._timeout_s = timeout_s
        self._most = most_consumers
        self._open = 0

    def subject(self, settings: KafkaConfig) -> str:
        """The topic."""
        return f"kafka://{settings.bootstrap_servers}/{settings.topic}"

    def slots(self, settings: KafkaConfig) -> int:
        """The consumers."""
        return settings.consumers

    async def watch(self, watch: Watch) -> None:
        """As one consumer of the group. Raises `Unavailable`, `SendFailed`."""
        if self._open >= self._most:
            raise Unavailable(f"this worker has {self._most} consumers already (HOPLINE_SOURCES_CONSUMERS)")
        config = watch.settings
        assert isinstance(config, KafkaConfig)
        group = config.group_of(watch.trigger.id)
        # A member of the same name gets the partitions of the one before: not those of another topic.
        topic = sha256(config.topic.encode()).hexdigest()[:8]
        member = f"{watch.trigger.id}-{watch.slot}-{topic}"
        registry = Registry(self._http, config.registry) if config.registry is not None else None
        consumer = GroupConsumer(config, group, member, _begin(watch, config), self._timeout_s)
        self._open += 1
        try:
            await consumer.open(self._policy)
            while True:
                messages = await consumer.messages()
                if messages:
                    await self._take(watch, config, registry, messages)
                    await consumer.commit(messages)
                watch.works()
        finally:
            self._open -= 1
            await consumer.close()

    async def _take(
        self, watch: Watch, config: KafkaConfig, registry: Registry | None, messages: Sequence[Message]
    ) -> None:
        """Publishes what can be decoded; the rest goes to the dead letters."""
        events: list[SourceEvent] = []
        letters: list[Send] = []
        for number, message in enumerate(messages):
            try:
                events.append(await _event(config, registry, message))
            except Undecodable as wrong:
                letters.append(self._buried(watch, message, wrong))
            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        await watch.send(letters)
        await watch.publish(events)

    def _buried(self, watch: Watch, message: Message, wrong: Undecodable) -> Send:
        value, key = _raw(message.value()), _raw(message.key())
        record = Record(
            topic=f"kafka/{watch.trigger.id}/{message.topic()}",
            partition=int(message.partition() or 0),
            offset=int(message.offset() or 0),
            key=key,
            value=value,
            headers=[(name, _raw(content) or b"") for name, content in _pairs(message)],
            timestamp_ms=message.timestamp()[1],
            tenant_id=watch.trigger.tenant_id,
        )
        return dead_letter(self._codec, "sources", record, wrong)


async def _event(config: KafkaConfig, registry: Registry | None, message: Message) -> SourceEvent:
    """Raises `Undecodable`, `Unavailable`."""
    value, key = _raw(message.value()), _raw(message.key())
    place = {
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
    }
    data = {
        "type": "kafka",
        "body": await decode(value, config.value_format, registry),
        "key": await decode(key, config.key_format, registry),
        "headers": _headers(message),
        "record": place,
        "metadata": place,
    }
    if not _surely_fits(config, message):
        _check(data)
    named = "{topic}/{partition}/{offset}@{timestamp}".format_map(place)
    source = f"kafka://{config.bootstrap_servers.split(',')[0]}/{place['topic']}/{place['partition']}"
    sent = data["headers"].get(TRACEPARENT)
    return SourceEvent(
        identity=named,
        event_type="kafka.message",
        source=source,
        subject=str(place["offset"]),
        data=data,
        traceparent=sent if isinstance(sent, str) else None,
    )


def _surely_fits(config: KafkaConfig, message: Message) -> bool:
    """Without a look at the JSON. Of Avro a byte, or none, may stand for any number of names."""
    if "avro" in (config.value_format, config.key_format):
        return False
    value, key = _raw(message.value()) or b"", _raw(message.key()) or b""
    sizes = [len(name) + len(_raw(content) or b"") for name, content in _pairs(message)]
    if len(value) + len(key) + sum(sizes) > _SURELY_FITS_BYTES:
        return False
    # As many levels as there are brackets, at most.
    return all(content.count(b"{") + content.count(b"[") <= MOST_LEVELS for content in (value, key))


def _check(data: Mapping[str, Any]) -> None:
    """Raises `Undecodable` for what is no event."""
    try:
        size = len(dump_data(data).encode())
    except TypeError as wrong:
        raise Undecodable(f"the message is nested more than {MOST_LEVELS} levels deep") from wrong
    if size > _MOST_BYTES:
        raise Undecodable(f"the message takes more than {_MOST_BYTES} bytes as JSON")


def _begin(watch: Watch, config: KafkaConfig) -> int | None:
    if config.begin == "earliest":
        return None
    if isinstance(config.begin, datetime):
        return begin_ms(config.begin.timestamp())
    return begin_ms(watch.trigger.created_at.timestamp())


def _headers(message: Message) -> dict[str, Any]:
    """Name -> text, Base64 of what is none, or a list for a name that is there more than once."""
    found: dict[str, list[Any]] = {}
    for name, content in _pairs(message):
        found.setdefault(name, []).append(_shown(_raw(content)))
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _shown(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content or b"").decode()


def _pairs(message: Message) -> list[tuple[str, Any]]:
    given = message.headers() or []
    return list(given.items()) if isinstance(given, dict) else [(name, value) for name, value in given]


def _raw(content: Any) -> bytes | None:
    """Messages of a plain consumer hold bytes."""
    return content.encode() if isinstance(content, str) else content
