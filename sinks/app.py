"""Composition root of the sink: reads the history topics and writes their records to ClickHouse."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from schemas.codec import Codec
from sinks.batch import PATIENT, PROMPT, Batch
from sinks.letters import LetterBox
from sinks.metrics import SinkMetrics
from sinks.migrate import migrate
from sinks.settings import SinkSettings
from sinks.source import Source
from sinks.writing import BatchWriter
from transport.clickhouse import ClickHouse
from transport.errors import TransportError
from transport.producer import Producer
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)

_IDLE_S = 0.5
_LAG_INTERVAL_S = 5.0
_FIRST_PAUSE_S = 0.1
_KEEP_ALIVE_S = 1.0
_LETTER_S = 3.0


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

    async def prepare(self) -> None:
        """Creates the tables, for whoever wants to read them before `run_until` has. Raises likewise."""
        for name in await migrate(self._clickhouse):
            log.info("brought the tables up to date: %s", name)

    async def run_until(self, stop: asyncio.Event) -> None:
        """Creates the tables, then writes until `stop`; what has been read is written before it returns.

        Returns within `drain_timeout_s` and 2 s of `stop`. Raises `TransportError` when the tables can't be
        created, and `KafkaException` when the consumer is broken for good. ClickHouse and Kafka may come and
        go otherwise.
        """
        await self.prepare()
        batches = Batch(self._settings), Batch(self._settings)
        by_topic = {
            topic: batch for batch, topics in zip(batches, (PROMPT, PATIENT), strict=True) for topic in topics
        }
        async with contextlib.AsyncExitStack() as stack:
            producer = Producer(self._kafka, message_timeout_s=_LETTER_S)
            stack.push_async_callback(producer.close)
            source = Source(self._kafka, by_topic)
            stack.push_async_callback(source.close)
            letters = LetterBox(producer, self._codec)
            writer = BatchWriter(self._clickhouse, self._codec, letters, self._metrics)
            await _Loop(batches, source, writer, self._settings, self._metrics, stop).run()


class _Loop:
    """Read, write, commit, again."""

    def __init__(
        self,
        batches: Sequence[Batch],
        source: Source,
        writer: BatchWriter,
        settings: SinkSettings,
        metrics: SinkMetrics,
        stop: asyncio.Event,
    ) -> None:
        self._batches = batches
        self._source = source
        self._writer = writer
        self._settings = settings
        self._metrics = metrics
        self._stop = stop
        self._lag_at = 0.0

    async def run(self) -> None:
        reading = asyncio.create_task(self._until_stopped())
        stopped = asyncio.create_task(self._stop.wait())
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

    async def _until_stopped(self) -> None:
        while not self._stop.is_set():
            await self._read()
            for batch in self._batches:
                if batch.due_in(time.monotonic()) <= 0:
                    await self._write(batch)
            await self._tell_lag()

    async def _write_last(self) -> None:
        try:
            for batch in self._batches:
                await self._writer.write(batch)
                await self._source.commit(batch, wait=batch is self._batches[-1])
        except TransportError as failed:
            log.warning("whoever has the partitions next writes what was read: %s", failed)

    async def _read(self) -> None:
        now = time.monotonic()
        due_s = max(0.0, min(_IDLE_S, *(batch.due_in(now) for batch in self._batches)))
        if any(batch.urgent for batch in self._batches):
            # Nothing can make it due sooner: one read at the end, rather than a wake-up for each record.
            await asyncio.sleep(due_s)
            await self._source.fill(0)
        else:
            await self._source.fill(due_s)

    async def _write(self, batch: Batch) -> None:
        """Returns once the batch is written, or when it must stop, or when all of it was taken away."""
        started = time.monotonic()
        pause_s = _FIRST_PAUSE_S
        while batch.rows:
            try:
                await self._writer.write(batch)
                break
            except TransportError as failed:
                log.warning("a batch of %d records is tried again: %s", batch.rows, failed)
                self._metrics.retries.inc()
            if await self._stopped_within(pause_s):
                return
            pause_s = min(2 * pause_s, self._settings.retry_max_s)
        await self._source.commit(batch)
        batch.start_again(started)

    async def _stopped_within(self, pause_s: float) -> bool:
        """Waits, as a living member of the group."""
        until = time.monotonic() + pause_s
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            await self._source.keep_alive()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), min(left, _KEEP_ALIVE_S))
        return self._stop.is_set()

    async def _tell_lag(self) -> None:
        if time.monotonic() > self._lag_at + _LAG_INTERVAL_S:
            self._lag_at = time.monotonic()
            self._metrics.lag.set(await self._source.lag())
