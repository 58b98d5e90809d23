"""Composition root of the sink: reads the history topics and writes their records to ClickHouse."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.codec import Codec
from sinks.batch import PATIENT, PROMPT, Batch
from sinks.erased import LeavingOut, Writes, erasures
from sinks.letters import LetterBox
from sinks.metrics import SinkMetrics
from sinks.migrate import migrate
from sinks.retention import Retention, apply_retention
from sinks.rollups import Rollups, keep_rollups
from sinks.settings import SinkSettings
from sinks.source import Source
from sinks.spans import Spans
from sinks.stalled import Stalled
from sinks.writing import BatchWriter, Failures
from transport.clickhouse import ClickHouse
from transport.producer import Producer
from transport.settings import KafkaSettings
from transport.status import HEALTHY, UNHEALTHY, Component
from transport.telemetry.export import SpanExport

log = logging.getLogger(__name__)

_IDLE_S = 0.5
_KEEP_ALIVE_S = 1.0
_LETTER_S = 3.0
_AHEAD_S = 0.02
"""A write that takes longer is worth a read in between."""
_WORTH_IT = 2_000
"""Rows. An insert costs as much as a thousand do."""


class Sink:
    """One of any number of sinks, which share the partitions. Writes, confirms, then commits."""

    def __init__(
        self,
        settings: SinkSettings,
        kafka: KafkaSettings,
        codec: Codec,
        clickhouse: ClickHouse,
        registry: CollectorRegistry | None = None,
    ) -> None:
        """`clickhouse` and `codec` stay the caller's, to be closed after `run_until`."""
        self._settings = settings
        self._kafka = kafka
        self._codec = codec
        self._clickhouse = clickhouse
        self._metrics = SinkMetrics(registry or CollectorRegistry())
        self._stalled = Stalled(settings)
        self._source: Source | None = None

    @property
    def assigned(self) -> frozenset[tuple[str, int]]:
        """The partitions that it reads now, by full names of their topics."""
        return self._source.assigned if self._source else frozenset()

    def components(self) -> dict[str, Component]:
        """See `transport.status.Components`."""
        stalled = self._stalled
        clickhouse = Component(HEALTHY, "takes what is written")
        if stalled.topics:
            waiting = (
                f"{stalled.batch.rows} records of {', '.join(sorted(stalled.topics))} wait: {stalled.reason}"
            )
            clickhouse = Component(UNHEALTHY, waiting)
        partitions = len(self.assigned)
        group = Component(HEALTHY, f"{partitions} partitions")
        if self._source is None or not self._source.is_member:
            group = Component(UNHEALTHY, "not yet a member of the group: see HOPLINE_KAFKA")
        return {"consumer": group, "clickhouse": clickhouse}

    async def prepare(self) -> None:
        """Creates the tables, for whoever wants to read them before `run_until` has. Raises likewise."""
        for name in await migrate(self._clickhouse):
            log.info("brought the tables up to date: %s", name)
        for name in await apply_retention(self._clickhouse, Retention.of(self._settings)):
            log.info("changed how long %s is kept", name)

    async def run_until(self, stop: asyncio.Event) -> None:
        """Creates the tables, then writes until `stop`; what has been read is written before it returns.

        Returns within `drain_timeout_s` and 2 s of `stop`. Raises `TransportError` when the tables can't be
        created, and `KafkaException` when the consumer is broken for good. ClickHouse and Kafka may come and
        go otherwise.
        """
        await self.prepare()
        batches, stalled = (Batch(self._settings), Batch(self._settings)), self._stalled
        by_topic = {
            topic: batch for batch, topics in zip(batches, (PROMPT, PATIENT), strict=True) for topic in topics
        }
        async with contextlib.AsyncExitStack() as stack:
            producer = Producer(self._kafka, message_timeout_s=_LETTER_S)
            stack.push_async_callback(producer.close)
            source = self._source = Source(self._kafka, by_topic, stalled.batch)
            stack.push_async_callback(source.close)
            letters = LetterBox(producer, self._codec)
            spans = self._span_export(stack)
            writer = BatchWriter(self._clickhouse, self._codec, letters, self._metrics, spans)
            self._metrics.watch("fresh", batches)
            self._metrics.watch("stalled", (stalled.batch,))
            erased = await stack.enter_async_context(erasures(self._kafka, self._codec))
            sparing = LeavingOut(writer, erased)
            loop = _Loop(batches, stalled, source, sparing, self._settings, self._metrics)
            rollups = keep_rollups(
                Rollups(self._clickhouse, Retention.of(self._settings)),
                self._settings.rollup_interval_s,
                self._owns_rollups,
                self._metrics,
            )
            async with _beside(rollups):
                await loop.run_until(stop)

    def _owns_rollups(self) -> bool:
        """One sink of all does: by a partition, so that another one takes over when this one is gone."""
        return (self._kafka.full_name("runs"), 0) in self.assigned

    def _span_export(self, stack: contextlib.AsyncExitStack) -> SpanExport | None:
        if not self._settings.otlp.sends_traces:
            return None
        export = SpanExport(Spans(self._codec).of, self._metrics.told_spans)
        stack.push_async_callback(asyncio.to_thread, export.close)
        return export


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does it as long as the context lasts. A statement that is under way then ends by itself."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class _Loop:
    """Read, write, commit, again."""

    def __init__(
        self,
        batches: Sequence[Batch],
        stalled: Stalled,
        source: Source,
        writer: Writes,
        settings: SinkSettings,
        metrics: SinkMetrics,
    ) -> None:
        self._batches = batches
        self._stalled = stalled
        self._source = source
        self._writer = writer
        self._settings = settings
        self._metrics = metrics

    async def run_until(self, stop: asyncio.Event) -> None:
        reading = asyncio.create_task(self._until_stopped(stop))
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((reading, stopped), return_when=asyncio.FIRST_COMPLETED)
            async with asyncio.timeout(self._settings.drain_timeout_s):
                await reading
                await self._write_last()
        except TimeoutError:
            log.warning("what was read is not all written in time: whoever has the partitions next does it")
        finally:
            reading.cancel()
            stopped.cancel()
            await asyncio.gather(reading, stopped, return_exceptions=True)

    async def _until_stopped(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._read()
            if due := self._due(time.monotonic()):
                await self._write(due)
            if self._stalled.due_in(time.monotonic()) <= 0:
                await self._retry()

    async def _write_last(self) -> None:
        batches = (self._stalled.batch, *self._batches)
        held: set[str] = set()
        for batch in batches:
            failed = await self._writer.write(batch, held)
            held |= failed.keys()
            batch.move(failed, Batch(self._settings))
            await self._source.commit(batch, wait=batch is batches[-1])
            if failed:
                reason = next(iter(failed.values()))
                log.warning("whoever has the partitions next writes what was read: %s", reason)

    async def _read(self) -> None:
        now = time.monotonic()
        waits = (_IDLE_S, self._stalled.due_in(now), *(batch.due_in(now) for batch in self._batches))
        due_s = max(0.0, min(waits))
        if any(batch.urgent for batch in self._batches):
            # Nothing can make it due sooner: one read at the end, rather than a wake-up for each record.
            await asyncio.sleep(due_s)
            await self._source.fill(0)
        else:
            await self._source.fill(due_s)

    def _due(self, now: float) -> list[Batch]:
        """With those that are large enough: nothing is read while one is written."""
        if all(batch.due_in(now) > 0 for batch in self._batches):
            return []
        return [one for one in self._batches if one.due_in(now) <= 0 or one.rows >= _WORTH_IT]

    async def _write(self, batches: Sequence[Batch]) -> None:
        """Side by side. What cannot be written is stalled, and the batches can be filled again."""
        started = time.monotonic()
        writes = [self._writer.write(batch, self._stalled.topics) for batch in batches]
        for batch, failed in zip(batches, await self._patiently(*writes), strict=True):
            self._stalled.take(batch, failed, time.monotonic())
            self._hold(failed)
            await self._source.commit(batch)
            batch.start_again(started)

    async def _retry(self) -> None:
        (failed,) = await self._patiently(self._writer.write(self._stalled.batch))
        written = self._stalled.tried(failed, time.monotonic())
        self._hold(failed)
        await self._source.commit(written)

    def _hold(self, failed: Failures) -> None:
        self._source.hold(self._stalled.topics)
        for topic, reason in failed.items():
            rows = len(self._stalled.batch.messages[topic])
            log.warning("%d records of %s are tried again: %s", rows, topic, reason)
            self._metrics.retries.inc()

    async def _patiently(self, *writes: Coroutine[Any, Any, Failures]) -> list[Failures]:
        """Waits as a living member of the group, however long ClickHouse takes. What comes next is read
        meanwhile, where that takes a while."""
        writing = asyncio.create_task(_side_by_side(writes))
        try:
            if not (await asyncio.wait((writing,), timeout=_AHEAD_S))[0]:
                await self._source.read_ahead()
            while not (await asyncio.wait((writing,), timeout=_KEEP_ALIVE_S))[0]:
                await self._source.keep_alive()
            return writing.result()
        finally:
            writing.cancel()


async def _side_by_side(writes: Iterable[Coroutine[Any, Any, Failures]]) -> list[Failures]:
    return await asyncio.gather(*writes)
