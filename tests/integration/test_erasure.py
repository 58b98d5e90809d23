"""Erasing a tenant whose runs wait: on the real broker, with a worker and ClickHouse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from obstore.store import MemoryStore

from ingress.assembly import Assembler
from ingress.erasing.beside import PATIENT
from ingress.erasing.eraser import Eraser, Pace, Reach
from ingress.history import History
from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT, Erasure, ErasureStatus, Workflow, WorkflowType
from sinks.table import Table
from tests.graphs import end, graph, node, start
from tests.integration.lone_worker import LoneWorker, messages, tell
from tests.sinks.records import message
from transport.admin import create_topics
from transport.clickhouse import ClickHouse
from transport.definitions import ERASURES
from transport.feed import DefinitionsFeed
from transport.producer import Producer
from transport.settings import KafkaSettings
from transport.storage import Storage
from transport.store import DefinitionsStore
from transport.values import ValueStore

CODEC = SingleObjectCodec()


def waiting(seconds: int, version: str = "1") -> Workflow:
    nodes = [start(), node("wait", "wait", duration=seconds, duration_unit="second"), end()]
    return Workflow(
        id="flow", app_id="app", tenant_id=DEFAULT_TENANT, type=WorkflowType.WORKFLOW, version=version,
        graph=graph(nodes, ("start", "wait"), ("wait", "end")),
    )  # fmt: skip


@asynccontextmanager
async def erasing(kafka: KafkaSettings, clickhouse: ClickHouse) -> AsyncIterator[Eraser]:
    storage, producer = Storage(MemoryStore()), Producer(kafka)
    async with DefinitionsFeed(kafka, CODEC) as feed:
        store = DefinitionsStore(producer, feed, CODEC)
        history = History(clickhouse, Assembler(ValueStore(storage)), limits=PATIENT)
        await store.put(ERASURES, Erasure(id="e", tenant_id=DEFAULT_TENANT))
        reach = Reach(feed, store, producer, CODEC, clickhouse, history, storage)
        yield Eraser(reach, Pace(runs_s=20.0, settle_s=0.0))
    await producer.close()


def states(kafka: KafkaSettings, until: str) -> list[str]:
    """Of all runs, up to that one; a letter counts as its reason."""
    found: list[str] = []
    for topic, value in messages(kafka, "runs", "dead.letters"):
        letter = topic == "dead.letters"
        record = CODEC.decode("DeadLetter" if letter else "WorkflowRun", value)
        found.append(record["reason" if letter else "status"])
        if letter or found[-1] == until:
            return found
    raise AssertionError(found)


async def paused(kafka: KafkaSettings, clickhouse: ClickHouse) -> None:
    """Returns once the run waits, and the history says so."""
    assert "PAUSED" in await asyncio.to_thread(states, kafka, "PAUSED")
    for _, value in messages(kafka, "runs"):
        await Table("runs", clickhouse, CODEC).write([message("runs", value)])
        if CODEC.decode("WorkflowRun", value)["status"] == "PAUSED":
            return


async def test_a_run_that_waits_is_stopped(
    broker: str, topic_prefix: str, tmp_path: Path, database: ClickHouse
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    async with asyncio.timeout(120), LoneWorker(kafka, tmp_path):
        await tell(kafka, waiting(3600), {"id": "e"})
        await paused(kafka, database)
        async with erasing(kafka, database) as eraser:
            working = asyncio.create_task(eraser.run())
            found = await asyncio.to_thread(states, kafka, "STOPPED")
            working.cancel()
    assert found[-1] == "STOPPED"


async def test_a_run_that_nobody_knew_of_leaves_nothing_when_its_time_comes(
    broker: str, topic_prefix: str, tmp_path: Path, database: ClickHouse
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    async with asyncio.timeout(120), LoneWorker(kafka, tmp_path):
        await tell(kafka, waiting(15), {"id": "e"})
        assert "PAUSED" in await asyncio.to_thread(states, kafka, "PAUSED")
        async with erasing(kafka, database) as eraser:
            working = asyncio.create_task(eraser.run())
            erasures = eraser._reach.feed.definitions.erasures
            while erasures["e"].status is not ErasureStatus.COMPLETED:
                await eraser._reach.feed.news(ERASURES, 60)
            working.cancel()
        # The tenant is back, and its new run ends after the time of the old one.
        await tell(kafka, waiting(16, "2"), {"id": "new"})
        found = await asyncio.to_thread(states, kafka, "SUCCEEDED")
    assert found == ["PAUSED", "PAUSED", "SUCCEEDED"]
