"""Writes a batch: every topic's records into its table, and what can't be written into dead letters."""

import asyncio
import time
from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from confluent_kafka import Message

from schemas.codec import Codec
from schemas.letters import SINK
from schemas.letters import TOPIC as LETTERS
from sinks.batch import Batch
from sinks.graphs import Graphs
from sinks.knowledge import CHUNKS, DOCUMENTS, Clearing, Superseded, by_chunks, by_documents
from sinks.letters import LetterBox, Poison
from sinks.metrics import SinkMetrics
from sinks.spans import Spans
from sinks.table import TABLES, Table
from transport.clickhouse import ClickHouse
from transport.definitions import WORKFLOWS
from transport.errors import TransportError
from transport.telemetry.export import SpanExport

_LAST, _BEFORE_LAST = "runs", "node.executions"
"""Whoever sees that a run has ended finds its nodes, as far as they came with it."""

_WAITS = TransportError("what came before it is not written yet")

Failures = Mapping[str, TransportError]
"""Topics, and why they could not be written."""


class Writer(Protocol):
    """Where the records of one topic go."""

    @property
    def name(self) -> str:
        """Of the table."""

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        """See `sinks.table.Table.write`."""


class BatchWriter:
    """Knows every topic's writer. Batches that are written at the same time have no topic in common."""

    def __init__(
        self,
        clickhouse: ClickHouse,
        codec: Codec,
        letters: LetterBox,
        metrics: SinkMetrics,
        spans: SpanExport | None = None,
    ) -> None:
        """`spans`: who is told what has been written; None: nobody listens."""
        self._spans = spans
        self._tables = {topic: Table(topic, clickhouse, codec) for topic in TABLES}
        superseded = Superseded(clickhouse)
        self._writers: dict[str, Writer] = {
            **self._tables,
            WORKFLOWS: Graphs(clickhouse, codec),
            DOCUMENTS: Clearing(self._tables[DOCUMENTS], superseded, codec, by_documents),
            CHUNKS: Clearing(self._tables[CHUNKS], superseded, codec, by_chunks),
        }
        self._letters = letters
        self._metrics = metrics

    async def write(self, batch: Batch, held: Set[str] = frozenset()) -> Failures:
        """Returns once each record is in its table or has become a dead letter, confirmed: but for those of
        the topics that it returns, to be written again; any part of these may have been written.

        `held`: topics that are to wait for what came before. Raises what is no `TransportError`.
        """
        started = time.perf_counter()
        failures: dict[str, TransportError] = {}
        found = {topic: messages for topic, messages in batch.messages.items() if messages}
        for topic in held & found.keys():
            del found[topic]
            failures[topic] = _WAITS
        last = found.pop(_LAST, None)
        await self._write_all(found, failures)
        if last is not None and _BEFORE_LAST in held | failures.keys():
            failures[_LAST] = _WAITS
        elif last is not None:
            await self._write_all({_LAST: last}, failures)
        self._metrics.batch_seconds.observe(time.perf_counter() - started)
        return failures

    async def _write_all(
        self, topics: Mapping[str, Sequence[Message]], failures: dict[str, TransportError]
    ) -> None:
        """Waits for all of them also when one fails, for an insert can't be called back."""
        writes = (self._write_topic(topic, messages) for topic, messages in topics.items())
        for topic, result in zip(topics, await asyncio.gather(*writes, return_exceptions=True), strict=True):
            if isinstance(result, TransportError):
                failures[topic] = result
            elif result is not None:
                raise result

    async def _write_topic(self, topic: str, messages: Sequence[Message]) -> None:
        await self._bury(await self._write(topic, messages))

    async def _write(self, topic: str, messages: Sequence[Message]) -> list[Poison]:
        writer = self._writers[topic]
        started = time.perf_counter()
        poisons = [poison for poison in await writer.write(messages) if poison.is_ours]
        seconds, (_, written_ms) = time.perf_counter() - started, messages[0].timestamp()
        delay_s = time.time() - written_ms / 1000
        self._metrics.wrote(writer.name, len(messages) - len(poisons), seconds, delay_s)
        if self._spans is not None and topic in Spans.TOPICS:
            self._spans.offer(topic, [message.value() for message in messages])
        return poisons

    async def _bury(self, poisons: Sequence[Poison]) -> None:
        if not poisons:
            return
        for poison in poisons:
            self._metrics.dead_letters.labels(SINK, poison.error).inc()
        # A letter about an unreadable letter would come back here as one more: it goes to the table itself.
        for send in self._letters.encode([p for p in poisons if p.topic == LETTERS]):
            await self._tables[LETTERS].write_record(send.value or b"")
        await self._letters.send([p for p in poisons if p.topic != LETTERS])
