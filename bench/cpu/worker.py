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
from bench.cpu.partition import Partition
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
from streams.shell.inbox import Inbox
from streams.shell.offsets import TopicPartition
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Outbox
from streams.shell.rows import MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Stage
from streams.shell.table import Table
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
        place = TopicPartition(settings.kafka.full_name(stage.source), 0)
        assignment = Assignment(1, frozenset({place}), lambda: True)
        self._offsets = assignment.offsets
        table = Table(stage, MemoryRows())
        table.open(0, 0, 0, 1)
        inbox = Inbox(settings.held, asyncio.Event())
        self._partition = Partition(assignment, place, inbox)
        self._producer = Confirming()
        self._stage = OrderedStage(
            stage,
            table,
            inbox,
            Outbox(self._producer, settings.retries),
            partial(dead_letter, codec),
            settings=settings,
            clock=time.time,
            metrics=metrics.shell,
        )

    async def take(self, events: Sequence[Send]) -> list[Send]:
        """What comes of these events, rows for the changelog included."""
        self._partition.deliver(events)
        while self._offsets.unfinished():  # noqa: ASYNC110 - the stage is at work in the same loop, and tells nobody.
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
