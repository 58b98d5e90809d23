"""A sink that is told to stop: what it has read is written, unless that takes too long."""

import asyncio
import logging
from collections.abc import Set
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.codec import SingleObjectCodec
from sinks.app import _Loop
from sinks.batch import Batch
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from sinks.stalled import Stalled
from sinks.writing import Failures
from tests.sinks.records import message, run
from transport.errors import ClickHouseUnavailable

CODEC = SingleObjectCodec()


class Read:
    """In place of the consumer: one record, then silence."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.read = asyncio.Event()
        self.commits = 0

    async def fill(self, timeout_s: float) -> None:
        if not self.read.is_set():
            self._batch.add("runs", [message("runs", CODEC.encode("WorkflowRun", run()))], 0.0)
            self.read.set()
        await asyncio.sleep(min(timeout_s, 0.01))

    async def read_ahead(self) -> None: ...

    async def keep_alive(self) -> None: ...

    async def commit(self, batch: Batch, *, wait: bool = False) -> None:
        self.commits += bool(batch.rows)

    def hold(self, topics: Set[str]) -> None: ...


class Writer:
    """In place of ClickHouse: `hangs` from its first record on, or is `away`."""

    def __init__(self, *, hangs: bool = False, away: bool = False) -> None:
        self._hangs, self._away = hangs, away
        self.rows = 0

    async def write(self, batch: Batch, held: Set[str] = frozenset()) -> Failures:
        if self._hangs and batch.rows:
            await asyncio.Event().wait()
        if self._away:
            return {topic: ClickHouseUnavailable("refused") for topic in batch.messages}
        self.rows += batch.rows
        return {}


async def stop_after_reading(writer: Writer, drain_timeout_s: float, batch_age_s: float = 60) -> Read:
    """The loop has ended when this returns."""
    settings = SinkSettings(
        drain_timeout_s=drain_timeout_s, batch_settle_s=min(batch_age_s, 1), batch_interval_s=batch_age_s
    )
    batches, stop = (Batch(settings), Batch(settings)), asyncio.Event()
    source, metrics = Read(batches[0]), SinkMetrics(CollectorRegistry())
    parts: tuple[Any, ...] = (batches, Stalled(settings), source, writer, settings, metrics)
    running = asyncio.create_task(_Loop(*parts).run_until(stop))
    await source.read.wait()
    await asyncio.sleep(0.05)
    stop.set()
    async with asyncio.timeout(30):
        await running
    return source


async def test_what_has_been_read_is_written_and_committed() -> None:
    writer = Writer()
    source = await stop_after_reading(writer, 20)
    assert (writer.rows, source.commits) == (1, 1)


@pytest.mark.parametrize("batch_age_s", [0.0, 60.0])
async def test_a_write_that_hangs_is_given_up(batch_age_s: float, caplog: pytest.LogCaptureFixture) -> None:
    """Whether it is the last one, or one that had begun before."""
    with caplog.at_level(logging.WARNING, "sinks.app"):
        source = await stop_after_reading(Writer(hangs=True), 0.1, batch_age_s)
    assert source.commits == 0
    assert [r.message for r in caplog.records if r.name == "sinks.app"] == [
        "what was read is not all written in time: whoever has the partitions next does it"
    ]


async def test_clickhouse_may_be_away() -> None:
    assert (await stop_after_reading(Writer(away=True), 20)).commits == 0
