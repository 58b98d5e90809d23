"""Keeps a view of compacted topics up to date: reads all of them to the end, then follows."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, Self

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from schemas.codec import Codec
from transport.admin import offsets_now
from transport.client_log import client_log
from transport.definitions import MODELS, Definitions
from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_POLL_S = 0.1
_BATCH = 1000
_BATCHES_AHEAD = 4
"""Read and not applied yet. Without a bound, all that is configured would be in memory twice at a start."""
_REQUEST_TIMEOUT_S = 10.0
_NOT_YET = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""What a broker answers for a moment about a topic that has just been created."""

LOAD_TIMEOUT_S = 60.0
REACH_TIMEOUT_S = 30.0


class Unreadable(NamedTuple):
    """A definition that this release cannot read, or use."""

    message: Message
    reason: str
    """The exception's name first."""

    @property
    def offset(self) -> int:
        """Of the record."""
        return self.message.offset() or 0


class DefinitionsFeed:
    """Owns the consumer and the thread that polls it; changes `definitions` on the loop's thread only.

    Use as an async context manager: on entry it blocks until everything that is in the topics has been read,
    and raises `BrokerUnreachable` when nothing has come for a minute.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        codec: Codec,
        topics: Iterable[str] = MODELS,
        others: Mapping[str, Callable[[Message], None]] = {},
    ) -> None:
        """`topics`: which are read, of `MODELS`. `others` are no definitions, are read beside them, and have
        one partition as well; who is given their records is called on the loop's thread."""
        self.definitions = Definitions()
        self.unreadable: dict[tuple[str, str], Unreadable] = {}
        """By topic and key, those that nothing readable has come after."""
        self._owners: dict[tuple[str, str], str] = {}
        self.on_unreadable: Callable[[str, Unreadable], None] | None = None
        """Told the topic and what came, on the loop's thread."""
        self._settings = settings
        self._codec = codec
        self._others = others
        self._offsets = dict.fromkeys((*topics, *others), 0)
        self._lost = dict.fromkeys(self._offsets, 0)
        """Nobody waits for what was before these offsets: it is there, or gone."""
        self._advanced = asyncio.Event()
        self._room = threading.Semaphore(_BATCHES_AHEAD)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                # No group is ever joined; librdkafka wants the name all the same.
                "group.id": settings.full_name("definitions"),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                # Each failed attempt is a line in the log, and the broker may be away for an hour.
                "reconnect.backoff.ms": 200,
                "reconnect.backoff.max.ms": 2000,
                "log_level": 3,
            },
            logger=client_log(__name__),
        )

    def offset(self, topic: str) -> int:
        """Everything before this offset of the topic is in `definitions`, but for what the topic has lost."""
        return max(self._offsets[topic], self._lost[topic])

    def keys_of(self, tenant_id: str) -> list[tuple[str, str]]:
        """Topics and keys of all that the tenant has configured, also of what this release cannot read."""
        return [where for where, owner in self._owners.items() if owner == tenant_id]

    async def reach(self, topic: str, offset: int) -> None:
        """Returns once everything before `offset` is in `definitions`, up to which somebody has read, or
        written; also where the topic does not go that far any more, since none of it will come. Raises
        `TimeoutError`."""
        try:
            async with asyncio.timeout(REACH_TIMEOUT_S):
                while self.offset(topic) < offset:
                    await self._next()
        except TimeoutError:
            end = await self._end(topic)
            if end is None or end >= offset:
                raise
            _log.error("%s ends at %d and was known up to %d: definitions are lost", topic, end, offset)
            self._lost[topic] = max(self._lost[topic], offset)

    async def catch_up(self) -> None:
        """Returns once everything is in `definitions` that anybody knew to be written when this was called.

        Raises `BrokerUnreachable`, `TimeoutError`.
        """
        try:
            ends = await self._ends(self._offsets)
        except KafkaException as failed:
            raise BrokerUnreachable(f"cannot ask where topics end: {failed.args[0].str()}") from failed
        for topic, end in ends.items():
            await self.reach(topic, end)

    async def news(self, topic: str, timeout_s: float) -> None:
        """Returns once something has come of the topic. Raises `TimeoutError`."""
        known = self._offsets[topic]
        async with asyncio.timeout(timeout_s):
            while self._offsets[topic] == known:
                await self._next()

    async def _next(self) -> None:
        self._advanced.clear()
        await self._advanced.wait()

    async def _read_up_to(self, topic: str, end: int) -> None:
        """However long that takes. Raises `TimeoutError` when nothing comes."""
        while self._offsets[topic] < end:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await self._next()

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            ends = await asyncio.to_thread(self._assign)
            self._thread = threading.Thread(target=self._follow, name="definitions-feed", daemon=True)
            self._thread.start()
            for topic, end in ends.items():
                await self._read_up_to(topic, end)
        except (KafkaException, TimeoutError) as unreachable:
            await self.__aexit__()
            raise BrokerUnreachable(
                f"cannot read the definitions from Kafka at {self._settings.bootstrap_servers}: "
                "is it running, and have the topics been created (hopline topics create)?"
            ) from unreachable
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._consumer.close)

    @cached_property
    def _admin(self) -> AdminClient:
        """The consumer may not answer while its thread polls."""
        return AdminClient({"bootstrap.servers": self._settings.bootstrap_servers, "log_level": 0})

    async def _end(self, topic: str) -> int | None:
        """None where nobody says so."""
        try:
            return (await self._ends((topic,)))[topic]
        except KafkaException:
            return None

    async def _ends(self, topics: Iterable[str]) -> dict[str, int]:
        """Where the topics end. Raises `KafkaException`."""
        places = [TopicPartition(self._settings.full_name(topic), 0) for topic in topics]
        found = await asyncio.to_thread(offsets_now, self._admin, places, OffsetSpec.latest())
        return {self._settings.short_name(name): end for (name, _), end in found.items()}

    def _assign(self) -> dict[str, int]:
        partitions = [TopicPartition(self._settings.full_name(topic), 0, 0) for topic in self._offsets]
        ends = {}
        for topic, partition in zip(self._offsets, partitions, strict=True):
            low, high = self._watermarks(partition)
            # A compacted topic that was emptied has no record left that would move the position.
            self._offsets[topic] = high if low == high else 0
            ends[topic] = high
        self._consumer.assign(partitions)
        return ends

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        deadline = time.monotonic() + _REQUEST_TIMEOUT_S
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(partition, timeout=_REQUEST_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].code() not in _NOT_YET or time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)
            else:
                return low, high

    def _follow(self) -> None:
        while not self._stopping.is_set():
            first = self._consumer.poll(_POLL_S)
            if first is None:
                continue
            # To wait for a full batch would hold up whoever waits for what has come.
            messages = [first, *self._consumer.consume(_BATCH, 0)]
            while not self._room.acquire(timeout=_POLL_S):
                if self._stopping.is_set():
                    return
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._apply, messages)

    def _apply(self, messages: list[Message]) -> None:
        self._room.release()
        for message in messages:
            if message.error() is not None:
                _log.warning("definitions feed: %s", message.error())
                continue
            self._apply_one(message)
        self._advanced.set()

    def _apply_one(self, message: Message) -> None:
        topic = self._settings.short_name(message.topic() or "")
        if topic in self._others:
            self._others[topic](message)
        else:
            self._apply_definition(topic, message)
        self._offsets[topic] = (message.offset() or 0) + 1

    def _apply_definition(self, topic: str, message: Message) -> None:
        key = (message.key() or b"").decode(errors="replace")
        value = message.value()
        try:
            body = None if value is None else self._body(topic, key, value)
            entity = None if body is None else MODELS[topic].model_validate(orjson.loads(body))
            if value is None:
                self._owners.pop((topic, key), None)
            self.definitions.apply(topic, key, entity, message.offset() or 0, body)
            self.unreadable.pop((topic, key), None)
        except Exception as unreadable:
            # The entity stays as it was: one bad record, whatever is wrong with it, must not take every role
            # down. It may be of a later release.
            _log.error("definition %s at %s/%s is unreadable: %s", key, topic, message.offset(), unreadable)
            self._keep_unreadable(topic, key, message, unreadable)

    def _body(self, topic: str, key: str, value: bytes) -> bytes:
        record = self._codec.decode("Definition", value)
        self._owners[topic, key] = record["tenant_id"]
        return record["body"].encode()  # type: ignore[no-any-return]

    def _keep_unreadable(self, topic: str, key: str, message: Message, error: Exception) -> None:
        found = Unreadable(message, f"{type(error).__name__}: {error}")
        self.unreadable[topic, key] = found
        if self.on_unreadable is not None:
            self.on_unreadable(topic, found)
