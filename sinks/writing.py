"""Writes a batch: every topic's records into its table, and what can't be written into dead letters."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.letters import SINK
from schemas.letters import TOPIC as LETTERS
from sinks.batch import Batch
from sinks.graphs import Graphs
from sinks.knowledge import DOCUMENTS, Documents
from sinks.letters import LetterBox, Poison
from sinks.metrics import SinkMetrics
from sinks.table import TABLES, Table
from transport.clickhouse import ClickHouse
from transport.definitions import WORKFLOWS

_LAST = "runs"
"""Whoever sees that a run has ended finds its nodes and its graph, as far as they came with it."""


class Writer(Protocol):
    """Where the records of one topic go."""

    @property
    def name(self) -> str:
        """Of the table."""

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""


class BatchWriter:
    """Knows every topic's writer. Used for one batch at a time."""

    def __init__(
        self, clickhouse: ClickHouse, codec: Codec, letters: LetterBox, metrics: SinkMetrics
    ) -> None:
        self._tables = {topic: Table(topic, clickhouse, codec) for topic in TABLES}
        self._writers: dict[str, Writer] = {
            **self._tables,
            WORKFLOWS: Graphs(clickhouse, codec),
            DOCUMENTS: Documents(self._tables[DOCUMENTS], clickhouse, codec),
        }
        self._letters = letters
        self._metrics = metrics

    async def write(self, batch: Batch) -> None:
        """Returns once each record is in its table or has become a dead letter, confirmed.

        Raises `TransportError`; any part of it may have been written then: it is to be written again, whole.
        """
        started = time.perf_counter()
        topics = [topic for topic, messages in batch.messages.items() if messages]
        first = [self._write(topic, batch.messages[topic]) for topic in topics if topic != _LAST]
        poisons = await _all(first)
        if _LAST in topics:
            poisons += await self._write(_LAST, batch.messages[_LAST])
        await self._bury(poisons)
        self._metrics.batch_seconds.observe(time.perf_counter() - started)

    async def _write(self, topic: str, messages: Sequence[Message]) -> list[Poison]:
        writer = self._writers[topic]
        started = time.perf_counter()
        poisons = [poison for poison in await writer.write(messages) if poison.is_ours]
        self._metrics.insert_seconds.labels(writer.name).observe(time.perf_counter() - started)
        self._metrics.rows.labels(writer.name).inc(len(messages) - len(poisons))
        return poisons

    async def _bury(self, poisons: Sequence[Poison]) -> None:
        for poison in poisons:
            self._metrics.dead_letters.labels(SINK, poison.error).inc()
        # A letter about an unreadable letter would come back here as one more: it goes to the table itself.
        for send in self._letters.encode([p for p in poisons if p.topic == LETTERS]):
            await self._tables[LETTERS].write_record(send.value or b"")
        await self._letters.send([p for p in poisons if p.topic != LETTERS])


async def _all(writes: Sequence[Coroutine[Any, Any, list[Poison]]]) -> list[Poison]:
    """Waits for all of them also when one fails, for an insert can't be called back."""
    results = await asyncio.gather(*writes, return_exceptions=True)
    poisons: list[Poison] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        poisons += result
    return poisons
