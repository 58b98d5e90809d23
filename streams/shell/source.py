"""The `Source` of a `Reader`: librdkafka reads the records, aiokafka's consumer belongs to the group.

A fetch of aiokafka's names every partition, in Python, when it asks and when it is answered: with a hundred
of them, a record waits longer for that than for the broker. So its consumer fetches nothing (`repairs`).
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from aiokafka.errors import KafkaError as AiokafkaError
from aiokafka.structs import TopicPartition as KafkaPartition
from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Place

from schemas.topics import MAX_MESSAGE_BYTES
from streams.shell.offsets import TopicPartition
from streams.shell.stage import Record
from transport.client_log import client_log
from transport.committed import Commit
from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)

_MOST_RECORDS = 2000
"""Of one fetch."""

_LONGEST_POLL_MS = 100
"""How long the broker holds a fetch open. A partition that was left out when it began waits that long."""

_MANY = 50
"""Records that are not taken yet, from which on librdkafka fetches no more: with one for each record, a fetch
costs the broker more than the record. With fewer it goes on: should they be taken while it looks at one
partition after the other, it would leave some of them out."""

_LOOK_S = 1.0
"""Between two looks at how the group fares."""

Call = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
"""Runs a function of aiokafka's consumer in its thread; see `repairs.ShellThread.call`."""


class KafkaSource:
    """See the protocol `reader.Source`. Its reading blocks in librdkafka, in a thread of its own."""

    def __init__(self, settings: KafkaSettings, call: Call) -> None:
        self._settings = settings
        self._call = call
        self._look_at = 0.0
        self._short_names: dict[str, str] = {}
        self._positions: dict[TopicPartition, int] = {}
        """Where the next fetch reads, of all that is read."""
        self._left_out: set[TopicPartition] = set()
        self._thread = ThreadPoolExecutor(1, "shell-reader")
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                # Has to be there. It joins no group and commits nothing.
                "group.id": settings.full_name("reader"),
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                # Where there is nothing to read any more, nothing is skipped in silence.
                "auto.offset.reset": "error",
                # Compaction may have removed the last records; then nothing else says where a partition ends.
                "enable.partition.eof": True,
                "check.crcs": True,
                "fetch.wait.max.ms": _LONGEST_POLL_MS,
                "queued.min.messages": _MANY,
                "fetch.queue.backoff.ms": 1,
                "fetch.max.bytes": MAX_MESSAGE_BYTES,
                "fetch.error.backoff.ms": 100,
                "reconnect.backoff.ms": 200,
                "reconnect.backoff.max.ms": 2000,
                "log_level": 3,
            },
            logger=client_log(__name__),
        )

    async def fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> Mapping[TopicPartition, list[Record]]:
        if monotonic() >= self._look_at:
            await self.look()
        fetched: Mapping[TopicPartition, list[Record]] = await self._run(self._fetch, partitions, timeout_s)
        return fetched

    async def committed(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Commit]:
        wanted = [KafkaPartition(*tp) for tp in partitions]

        async def call(consumer: Any) -> Any:
            return await consumer._coordinator.fetch_committed_offsets(wanted)

        found = await self._call(call)
        return {
            TopicPartition(*tp): Commit(known.offset, known.metadata or "")
            for tp, known in found.items()
            if known.offset >= 0
        }

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        wanted = [KafkaPartition(*tp) for tp in partitions]

        async def call(consumer: Any) -> Any:
            return await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)

        try:
            first, end = await self._call(call)
        except AiokafkaError as failed:
            raise BrokerUnreachable(f"the broker does not say what there is: {failed}") from failed
        return {TopicPartition(*tp): (first[tp], end[tp]) for tp in wanted}

    async def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        await self._run(self._read_from, positions)

    def position(self, partition: TopicPartition) -> int:
        return self._positions[partition]

    async def look(self) -> None:
        await self._call(_raise_what_ails_the_group)
        self._look_at = monotonic() + _LOOK_S

    async def close(self) -> None:
        """Ends its threads and connections."""
        await self._run(self._consumer.close)
        self._thread.shutdown()

    async def _run(self, method: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, method, *args)

    def _read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        # A partition that is paused stays so when it is assigned again.
        self._leave_out(set())
        self._positions = dict(positions)
        self._short_names = {tp.topic: self._settings.short_name(tp.topic) for tp in positions}
        self._consumer.assign([Place(*tp, offset) for tp, offset in positions.items()])

    def _fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> Mapping[TopicPartition, list[Record]]:
        self._leave_out(self._positions.keys() - partitions)
        first = self._consumer.poll(timeout_s)
        if first is None:
            return {}
        return self._taken([first, *self._consumer.consume(_MOST_RECORDS - 1, 0)])

    def _leave_out(self, unwanted: set[TopicPartition]) -> None:
        if unwanted != self._left_out:
            self._consumer.pause([Place(*tp) for tp in unwanted - self._left_out])
            self._consumer.resume([Place(*tp) for tp in self._left_out - unwanted])
            self._left_out = unwanted

    def _taken(self, messages: Sequence[Message]) -> Mapping[TopicPartition, list[Record]]:
        taken: defaultdict[TopicPartition, list[Record]] = defaultdict(list)
        for message in messages:
            tp = TopicPartition(message.topic() or "", message.partition() or 0)
            if (error := message.error()) is None:
                taken[tp].append(self._record(tp, message))
            elif error.code() == KafkaError._PARTITION_EOF:
                self._positions[tp] = message.offset() or 0
            elif error.fatal() or error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise KafkaException(error)
            else:
                log.warning("reading: %s", error.str())
        for tp, records in taken.items():
            self._positions[tp] = max(self._positions[tp], records[-1].offset + 1)
        return taken

    def _record(self, tp: TopicPartition, message: Message) -> Record:
        headers: Any = message.headers()
        return Record(
            self._short_names[tp.topic],
            tp.partition,
            message.offset() or 0,
            message.key(),
            message.value(),
            headers or (),
            message.timestamp()[1],
        )


async def _raise_what_ails_the_group(consumer: Any) -> None:
    """What aiokafka otherwise tells whoever fetches."""
    consumer._coordinator.check_errors()
