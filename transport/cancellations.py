"""Hears of node executions that nobody waits for any more: reads a topic from a while ago, then follows."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from schemas.codec import Codec
from schemas.errors import UndecodableValue
from transport.client_log import client_log
from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

CANCELLATIONS = "node.cancellations"

Cancel = Callable[[Sequence[str]], None]
"""Told the ids of node executions."""

_log = logging.getLogger(__name__)

_LOOK_BACK_S = 900.0
"""A task may wait that long for an executor that has only just started."""

_POLL_S = 0.5
_BATCH = 1000
_OFFSETS_TIMEOUT_S = 10.0
_PAUSE_S = 0.2
_START_TIMEOUT_S = 30.0


class CancellationFeed:
    """Owns the consumer and the thread that polls it; calls `cancel` on the loop's thread only.

    Use as an async context manager. Raises `BrokerUnreachable` where the topic cannot be read. It is no
    member of any group: every worker reads everything.
    """

    def __init__(self, settings: KafkaSettings, codec: Codec, cancel: Cancel) -> None:
        self._settings = settings
        self._codec = codec
        self._cancel = cancel
        self._stopping = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                # No group is ever joined; librdkafka wants the name all the same.
                "group.id": settings.full_name("cancellations"),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "reconnect.backoff.ms": 200,
                "reconnect.backoff.max.ms": 2000,
                "log_level": 3,
            },
            logger=client_log(__name__),
        )

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._assign)
        except KafkaException as unreachable:
            await asyncio.to_thread(self._consumer.close)
            topic = self._settings.full_name(CANCELLATIONS)
            raise BrokerUnreachable(
                f"cannot read {topic} from Kafka at {self._settings.bootstrap_servers}: "
                "is it running, and have the topics been created (hopline topics create)?"
            ) from unreachable
        self._thread = threading.Thread(target=self._follow, name="cancellations-feed", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._consumer.close)

    def _assign(self) -> None:
        """Raises `KafkaException`. A topic that was just created has no leader for a moment."""
        since_ms = int((time.time() - _LOOK_BACK_S) * 1000)
        wanted = [TopicPartition(self._settings.full_name(CANCELLATIONS), 0, since_ms)]
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                (found,) = self._consumer.offsets_for_times(wanted, timeout=_OFFSETS_TIMEOUT_S)
                if found.error is not None:
                    raise KafkaException(found.error)
                break
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_S)
        self._consumer.assign([found])

    def _follow(self) -> None:
        while not self._stopping.is_set():
            # `consume` waits for a whole batch or the end of its time; a cancel is not to wait for more.
            first = self._consumer.poll(_POLL_S)
            if first is None:
                continue
            messages = [first, *self._consumer.consume(_BATCH, 0)]
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._apply, messages)

    def _apply(self, messages: list[Message]) -> None:
        for message in messages:
            error = message.error()
            if error is not None:
                if error.code() != KafkaError._PARTITION_EOF:
                    _log.warning("cancellations feed: %s", error)
                continue
            try:
                record = self._codec.decode("NodeCancellation", message.value())
            except UndecodableValue as unreadable:
                _log.error("cancellation at offset %s is unreadable: %s", message.offset(), unreadable)
                continue
            self._cancel(record["node_execution_ids"])
