"""The `Source` of a `Reader`: what it asks of aiokafka's consumer, in the thread where that lives."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from aiokafka.structs import TopicPartition as KafkaPartition

from streams.shell.offsets import TopicPartition
from streams.shell.reader import RawRecord
from transport.committed import Commit

_MOST_RECORDS = 2000
"""Of one fetch."""

Call = Callable[[Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
"""Runs a function of the consumer in its thread; see `repairs.ShellThread.call`."""


class KafkaSource:
    """The `Source` of a `Reader`: aiokafka's consumer, called in its thread."""

    def __init__(self, call: Call) -> None:
        self._call = call

    async def fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> Mapping[TopicPartition, list[RawRecord]]:
        wanted = [KafkaPartition(*tp) for tp in partitions]

        async def call(consumer: Any) -> Any:
            return await consumer.getmany(
                *wanted, timeout_ms=int(timeout_s * 1000), max_records=_MOST_RECORDS
            )

        fetched: dict[TopicPartition, list[RawRecord]] = await self._call(call)
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

        first, end = await self._call(call)
        return {TopicPartition(*tp): (first[tp], end[tp]) for tp in wanted}

    async def seek(self, positions: Mapping[TopicPartition, int]) -> None:
        async def call(consumer: Any) -> None:
            for tp, offset in positions.items():
                consumer.seek(KafkaPartition(*tp), offset)

        await self._call(call)

    async def positions(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        wanted = [KafkaPartition(*tp) for tp in partitions]

        async def call(consumer: Any) -> Any:
            return {TopicPartition(*tp): await consumer.position(tp) for tp in wanted}

        found: dict[TopicPartition, int] = await self._call(call)
        return found

    async def read_only(self, partitions: Collection[TopicPartition]) -> None:
        wanted = {KafkaPartition(*tp) for tp in partitions}

        async def call(consumer: Any) -> None:
            consumer.pause(*(consumer.assignment() - wanted))
            consumer.resume(*(consumer.paused() & wanted))

        await self._call(call)
