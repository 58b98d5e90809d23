"""A topic read by itself, without a group: what is in it, and what comes."""

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import confluent_kafka
from confluent_kafka import Consumer, TopicPartition

from transport.settings import KafkaSettings

_AT_ONCE = 1_000
_POLL_S = 0.2
_TIMEOUT_S = 30.0


class Message(NamedTuple):
    """One of its messages."""

    key: str
    value: bytes | None
    sent_at_ms: int
    """When its producer had made it."""


class Topic:
    """From the first message, or with `new_only` from those that come now. Not for several threads."""

    def __init__(self, kafka: KafkaSettings, topic: str, *, new_only: bool = False) -> None:
        """Blocks. Raises `KafkaException` without a broker."""
        name = kafka.full_name(topic)
        self._consumer = Consumer(
            {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "bench", "enable.auto.commit": False}
        )
        self._ends: dict[int, int] = {}
        starts = []
        for partition in self._consumer.list_topics(name, _TIMEOUT_S).topics[name].partitions:
            place = TopicPartition(name, partition)
            first, end = self._consumer.get_watermark_offsets(place, _TIMEOUT_S)
            self._ends[partition] = end
            starts.append(TopicPartition(name, partition, end if new_only else first))
        self._consumer.assign(starts)
        self._missing = {one.partition for one in starts if one.offset < self._ends[one.partition]}

    def poll(self) -> list[Message]:
        """What has come, for which it waits a moment. Blocks."""
        found = (self._read(message) for message in self._consumer.consume(_AT_ONCE, _POLL_S))
        return [message for message in found if message is not None]

    def next(self) -> Message | None:
        """As soon as it can be read, where `poll` waits for more to come along. Blocks."""
        message = self._consumer.poll(_POLL_S)
        return None if message is None else self._read(message)

    def until_end(self) -> Iterator[Message]:
        """What was there when it was opened. Blocks."""
        while self._missing:
            yield from self.poll()

    def _read(self, message: confluent_kafka.Message) -> Message | None:
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None or message.error():
            return None
        if offset + 1 >= self._ends[partition]:
            self._missing.discard(partition)
        return Message(_text(message.key()), _bytes(message.value()), message.timestamp()[1])

    def close(self) -> None:
        """Ends its threads and connections."""
        self._consumer.close()


def messages_of(kafka: KafkaSettings, topic: str) -> Iterator[Message]:
    """All that are there now. Blocks."""
    with closing(Topic(kafka, topic)) as read:
        yield from read.until_end()


def _text(value: str | bytes | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
