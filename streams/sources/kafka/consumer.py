"""A consumer of another Kafka, in a thread of its own: librdkafka's client blocks."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from schemas.triggers.kafka import KafkaConfig
from streams.sources.watching import Unavailable
from transport.client_log import client_log
from transport.egress import EgressPolicy, EgressRefused
from transport.guarded_socket import check_host

_T = TypeVar("_T")

_POLL_S = 0.2
_CLOSE_S = 5.0
_MOST_MESSAGES = 200
_HELD_KB = 16 * 1024
"""Read ahead, besides what is being published."""

_TELLING = frozenset(
    {KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._RESOLVE, KafkaError._SSL}
)
"""What librdkafka tells in passing, and goes on trying."""


class GroupConsumer:
    """A member of the consumer group, from `open` to `close`. Methods raise `Unavailable`."""

    def __init__(
        self, config: KafkaConfig, group: str, member: str, begin_ms: int | None, timeout_s: float
    ) -> None:
        """`member`: a name within the group that is good over restarts, so that the partitions wait for it.
        `begin_ms`: the time that partitions without an offset begin at; None is their beginning."""
        self._config = config
        self._begin_ms = begin_ms
        self._timeout_s = timeout_s
        self._told: KafkaError | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka-source")
        self._settings = {
            **config.client(),
            "group.id": group,
            "group.instance.id": member,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # Only where the offset of the group has been deleted meanwhile.
            "auto.offset.reset": "earliest",
            "allow.auto.create.topics": False,
            "session.timeout.ms": 10_000,
            "queued.max.messages.kbytes": _HELD_KB,
            "reconnect.backoff.max.ms": 2000,
            "log_level": 2,
            "error_cb": self._on_error,
        }
        self._consumer: Consumer | None = None

    async def open(self, policy: EgressPolicy) -> None:
        """Returns when the brokers have told of the topic, and we may connect to all of them."""
        for server in self._config.bootstrap_servers.split(","):
            await self._check(policy, *_split(server))
        self._consumer = await self._run(lambda: Consumer(self._settings, logger=client_log(__name__)))
        metadata = await self._run(self._of.list_topics, self._config.topic, self._timeout_s)
        # What follows connects to the brokers by the addresses that they give themselves.
        for broker in metadata.brokers.values():
            await self._check(policy, broker.host, broker.port)
        error = metadata.topics[self._config.topic].error
        if error is not None:
            raise Unavailable(f"topic {self._config.topic}: {error.str()}")
        await self._run(self._subscribe)

    async def messages(self) -> list[Message]:
        """Some, or none within a moment."""
        found = await self._run(self._of.consume, _MOST_MESSAGES, _POLL_S)
        for message in found:
            if (error := message.error()) is not None:
                raise Unavailable(f"{self._config.topic}: {error.str()}")
        if not found and self._told is not None:
            raise Unavailable(f"{self._config.bootstrap_servers}: {self._told.str()}")
        self._told = None if found else self._told
        return list(found)

    async def commit(self, messages: Sequence[Message]) -> None:
        """Whoever has their partitions next goes on behind them."""
        behind: dict[tuple[str, int], int] = {}
        for message in messages:
            place = str(message.topic()), int(message.partition() or 0)
            behind[place] = int(message.offset() or 0) + 1
        offsets = [TopicPartition(*place, offset) for place, offset in behind.items()]
        await self._run(lambda: self._of.commit(offsets=offsets, asynchronous=False))

    async def close(self) -> None:
        """Waits a moment for what the thread is doing."""
        if self._consumer is not None:
            closing = asyncio.get_running_loop().run_in_executor(self._thread, self._consumer.close)
            with suppress(TimeoutError, KafkaException, RuntimeError):
                async with asyncio.timeout(_CLOSE_S):
                    await asyncio.shield(closing)
        self._thread.shutdown(wait=False)

    @property
    def _of(self) -> Consumer:
        assert self._consumer is not None, "not open"
        return self._consumer

    async def _check(self, policy: EgressPolicy, host: str, port: int) -> None:
        try:
            await check_host(policy, host, port)
        except (EgressRefused, OSError) as error:
            raise Unavailable(f"no connection to {host}:{port}: {error}") from error

    async def _run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        except KafkaException as error:
            told = self._told or error.args[0]
            why = told.str() if isinstance(told, KafkaError) else str(told)
            raise Unavailable(f"{self._config.bootstrap_servers}: {why}") from error

    # In the thread --------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        self._of.subscribe([self._config.topic], on_assign=self._on_assign)

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in _TELLING or error.fatal():
            self._told = error

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Partitions without an offset begin where the trigger does, and keep to it from now on."""
        known = consumer.committed(partitions, timeout=self._timeout_s)
        new = [partition for partition in known if partition.offset < 0]
        if new:
            began = self._beginnings(consumer, new)
            places = {(one.topic, one.partition): one.offset for one in began}
            for partition in new:
                partition.offset = places[partition.topic, partition.partition]
            self._keep_beginnings(consumer, new)
        self._told = None
        consumer.assign(known)

    def _keep_beginnings(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Looked for again, an end would be further on: what has come in between with an older time, of a
        producer whose clock is behind, would be left out."""
        known = [one for one in partitions if one.offset >= 0]
        if known:
            # It fails while the group shares anew: then another assignment follows this one.
            with suppress(KafkaException):
                consumer.commit(offsets=known, asynchronous=False)

    def _beginnings(self, consumer: Consumer, partitions: list[TopicPartition]) -> list[TopicPartition]:
        if self._begin_ms is None:
            return [TopicPartition(one.topic, one.partition, OFFSET_BEGINNING) for one in partitions]
        # The ends before the times: a message that comes in between is found by its time.
        ends = [consumer.get_watermark_offsets(one, timeout=self._timeout_s)[1] for one in partitions]
        asked = [TopicPartition(one.topic, one.partition, self._begin_ms) for one in partitions]
        found = consumer.offsets_for_times(asked, timeout=self._timeout_s)
        places = {(one.topic, one.partition): one.offset for one in found}
        return [
            TopicPartition(
                one.topic, one.partition, at if (at := places[one.topic, one.partition]) >= 0 else end
            )
            for one, end in zip(partitions, ends, strict=True)
        ]


def begin_ms(since_s: float) -> int:
    """Of a time in seconds, as brokers count: none before it."""
    return math.floor(since_s * 1000)


def _split(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
