"""Reads one record at its place, long after everybody else has."""

import asyncio
import time

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

_TIMEOUT_S = 10.0
_POLL_S = 0.5


class RecordReader:
    """Opens a consumer for each record: for the rare case that somebody wants one again."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings

    async def read(self, topic: str, partition: int, offset: int) -> Message | None:
        """The record; None where retention or compaction has removed it. `topic`: the registry's name.

        Raises `BrokerUnreachable` when there is no answer within 10 s.
        """
        place = TopicPartition(self._settings.full_name(topic), partition, offset)
        return await asyncio.to_thread(self._read, place)

    def _read(self, place: TopicPartition) -> Message | None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._settings.bootstrap_servers,
                # No group is ever joined; librdkafka wants the name all the same.
                "group.id": self._settings.full_name("positions"),
                "enable.auto.commit": False,
                # An offset that is gone would otherwise be answered with some other record.
                "auto.offset.reset": "error",
                "log_level": 2,
            }
        )
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            if not low <= place.offset < high:
                return None
            consumer.assign([place])
            return _first(consumer, place.offset)
        except KafkaException as failed:
            raise BrokerUnreachable(f"cannot read {place.topic} again: {failed.args[0].str()}") from failed
        finally:
            consumer.close()


def _first(consumer: Consumer, offset: int) -> Message | None:
    until = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < until:
        message = consumer.poll(_POLL_S)
        if message is None:
            continue
        if (error := message.error()) is not None:
            raise KafkaException(error)
        return message if message.offset() == offset else None
    raise BrokerUnreachable(f"the broker has not answered within {_TIMEOUT_S:g} s")
