"""The worker's part of a run: an event is routed, its run decided, rows and records encoded and confirmed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import cast

from obstore.store import MemoryStore
from prometheus_client import CollectorRegistry

from bench.cpu.broker import Confirming, Feed
from schemas.codec import Codec
from schemas.ids import now_us
from streams.dead_letters import dead_letter
from streams.engine.options import Options
from streams.fetching import Fetcher
from streams.metrics import WorkerMetrics
from streams.offload import Offload
from streams.router import Router
from streams.runner import Runner
from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery, Inbox
from streams.shell.offsets import TopicPartition
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Outbox
from streams.shell.rows import MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Record, Stage
from streams.shell.table import Table
from transport.committed import Commit
from transport.definitions import Definitions
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.settings import KafkaSettings
from transport.storage import Storage
from transport.values import ValueStore

_FINISHED_TTL_S = 3600.0


class Worker:
    """The first stage with its table in memory; it tells the whole of a run that ends in its first hop."""

    def __init__(self, definitions: Definitions, codec: Codec) -> None:
        metrics = WorkerMetrics(CollectorRegistry())
        settings = ShellSettings(KafkaSettings(), "bench", Path("unused"))
        stage = _route(cast(DefinitionsFeed, Feed(definitions)), codec, metrics)
        self._tp = TopicPartition(settings.kafka.full_name(stage.source), 0)
        self._source, self._next = stage.source, 0
        self._assignment = Assignment(1, frozenset({self._tp}), lambda: True)
        self._assignment.offsets.start(self._tp, Commit(0))
        table = Table(stage, MemoryRows())
        table.open(0, 0, 0, 1)
        self._inbox = Inbox(settings.held, asyncio.Event())
        self._producer = Confirming()
        self._stage = OrderedStage(
            stage,
            table,
            self._inbox,
            Outbox(self._producer, settings.retries),
            partial(dead_letter, codec),
            settings=settings,
            clock=time.time,
            metrics=metrics.shell,
        )

    async def take(self, events: Sequence[Send]) -> list[Send]:
        """What comes of these events, rows for the changelog included."""
        records = [self._record(event, at) for at, event in enumerate(events, self._next)]
        self._next += len(records)
        offsets = self._assignment.offsets
        offsets.deliver(self._tp, [record.offset for record in records])
        size = sum(len(record.value or b"") for record in records)
        self._inbox.put(Delivery(self._assignment, self._tp, records, size))
        while offsets.unfinished():  # noqa: ASYNC110 - the stage is at work in the same loop, and tells nobody.
            await asyncio.sleep(0)
        return self._producer.taken()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Worker"]:
        """Works until it is left."""
        task = asyncio.create_task(self._stage.run())
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _record(self, event: Send, offset: int) -> Record:
        return Record(
            self._source, 0, offset, event.key, event.value, event.headers, time.time_ns() // 1_000_000
        )


def _route(feed: DefinitionsFeed, codec: Codec, metrics: WorkerMetrics) -> Stage:
    """As `streams.app` composes it."""
    offload, values = Offload(), ValueStore(Storage(MemoryStore()))
    runner = Runner(
        feed,
        codec,
        Options(clock=now_us),
        _FINISHED_TTL_S,
        metrics.command,
        fetcher=Fetcher(values),
        offload=offload,
        ended=metrics.run_ended,
    )
    return Router(feed, codec, metrics.event, offload, runner.run_whole).stage()
