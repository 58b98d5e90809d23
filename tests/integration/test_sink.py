"""The sink between the real broker and the real ClickHouse engine."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from schemas.codec import SingleObjectCodec
from schemas.letters import CUT_HEADER
from schemas.models import Erasure, ErasureStatus, Workflow, WorkflowType
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS
from sinks.app import Sink
from sinks.settings import SinkSettings
from tests.sinks import records
from tests.sinks.records import CODEC
from transport.admin import create_topics
from transport.clickhouse import ClickHouse, Engine
from transport.definitions import ERASURES, WORKFLOWS
from transport.errors import ClickHouseUnavailable
from transport.feed import DefinitionsFeed
from transport.producer import Position, Producer, Send
from transport.settings import KafkaSettings

PARTITIONS = 3
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
PATIENCE_S = 120
"""Far more than it takes, so that only what never happens fails."""


@pytest.fixture
async def kafka(broker: str, topic_prefix: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=PARTITIONS)
    await create_topics(settings)
    return settings


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[Producer]:
    made = Producer(kafka, message_timeout_s=10)
    yield made
    await made.close()


def send(topic: str, record: Mapping[str, Any], key: str | None = None) -> Send:
    value = CODEC.encode(TOPICS[topic].schema or "", record)
    return Send(topic, (key or str(record.get("id"))).encode(), value)


@asynccontextmanager
async def sinking(kafka: KafkaSettings, clickhouse: ClickHouse, **settings: Any) -> AsyncIterator[Sink]:
    """A sink that works within the block; a failure of it fails the test."""
    sink = Sink(SinkSettings(**settings), kafka, SingleObjectCodec(), clickhouse)
    await sink.prepare()
    stop = asyncio.Event()
    running = asyncio.create_task(sink.run_until(stop))
    try:
        yield sink
    finally:
        stop.set()
        started = time.monotonic()
        await running
        assert time.monotonic() - started < 5


async def eventually(found: Callable[[], Any], expected: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while (now := await found()) != expected:
        assert time.monotonic() < deadline, f"{now} instead of {expected}"
        await asyncio.sleep(0.01)


def rows(clickhouse: ClickHouse, sql: str) -> Callable[[], Any]:
    async def found() -> Any:
        return (await clickhouse.query(sql)).rows

    return found


def committed(kafka: KafkaSettings, *topics: str) -> int:
    """Offsets that the sink's group has committed, summed over the topics."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.full_name("sink")})
    try:
        partitions = [TopicPartition(kafka.full_name(t), p) for t in topics for p in range(PARTITIONS)]
        return sum(max(0, p.offset) for p in consumer.committed(partitions, timeout=10))
    finally:
        consumer.close()


async def test_a_run_and_all_that_belongs_to_it_can_be_queried(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    graph = {"nodes": [], "edges": []}
    version = Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph)
    run = records.run(graph_hash=version.graph_hash)
    ended = {**run, "revision": 2, "status": "SUCCEEDED"}
    sends = [
        Send(WORKFLOWS, b"w:draft", records.workflow(graph)),
        send("trigger.events", records.event(), "event"),
        send("trigger.logs", records.trigger_log(workflow_run_id=run["id"])),
        *(send("node.executions", records.node(workflow_run_id=run["id"]), run["id"]) for _ in range(4)),
        send("runs", run),
        send("runs", ended),
    ]
    async with sinking(kafka, clickhouse):
        await producer.send_all(sends)
        await eventually(
            rows(clickhouse, "SELECT status, graph FROM workflow_runs"),
            [["SUCCEEDED", '{"edges":[],"nodes":[]}']],
        )
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_node_executions"), [[4]])
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_trigger_logs"), [[1]])
        await eventually(rows(clickhouse, "SELECT count() FROM trigger_events"), [[1]])
        more = await until_one_is_there_at_once(producer, clickhouse)
    written = ("trigger.events", "trigger.logs", "runs", "node.executions")
    assert await asyncio.to_thread(committed, kafka, *written) == 1 + 1 + 2 + 4 + more


async def test_what_was_erased_is_left_out_by_whoever_reads_from_the_start(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    before = datetime.fromtimestamp(records.START_US / 1e6, UTC)
    erasure = Erasure(id="e", tenant_id=records.TENANT, before=before, status=ErasureStatus.COMPLETED)
    definition = {
        "id": "e",
        "kind": "Erasure",
        "tenant_id": records.TENANT,
        "body": erasure.model_dump_json(),
        "updated_at": records.START_US,
    }
    old, new = records.run(created_at=records.START_US - 1), records.run()
    others = records.run(tenant_id=records.APP, created_at=records.START_US - 1)
    await producer.send_all([send("runs", run) for run in (old, new, others)])
    await producer.send(send(ERASURES, definition))
    async with sinking(kafka, clickhouse):
        expected = [[run_id] for run_id in sorted((new["id"], others["id"]))]
        found = rows(clickhouse, "SELECT toString(id) AS run FROM workflow_runs ORDER BY run")
        await eventually(found, expected)
    assert await asyncio.to_thread(committed, kafka, "runs") == 3


async def until_one_is_there_at_once(producer: Producer, clickhouse: ClickHouse) -> int:
    """How many more runs were sent to a sink that is idle until one had not waited for somebody's time-out.
    There is one already. What is slow because of other work on this machine is tried again."""
    took = []
    for more in range(1, 11):
        await asyncio.sleep(0.3)
        started = time.monotonic()
        await producer.send(send("runs", records.run(status="FAILED")))
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[1 + more]])
        took.append(time.monotonic() - started)
        if took[-1] < 0.3:
            return more
    raise AssertionError(f"each took long: {took}")


async def test_poison_becomes_a_dead_letter_and_holds_nobody_up(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    frame = CODEC.encode("WorkflowRun", records.run())[:10]
    poisons = [
        Send("runs", b"k1", b"no avro", (("traceparent", TRACEPARENT),), partition=0),
        Send("runs", b"k2", frame + b"\x02", partition=0),
        Send("runs", b"k3", None, partition=1),
        # As large as a message can be, so that its letter cannot hold it.
        Send("runs", b"k5", b"no avro" * ((MAX_MESSAGE_BYTES - 10_000) // 7), partition=2),
        send("runs", records.run(id="no uuid")),
        Send("dead.letters", b"k4", b"no letter", partition=0),
        Send(WORKFLOWS, b"w:1", b"no workflow"),
    ]
    async with sinking(kafka, clickhouse):
        positions = await producer.send_all(poisons)
        await producer.send_all([send("runs", records.run()) for _ in range(20)])
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[20]])
        await eventually(rows(clickhouse, "SELECT count() FROM dead_letters"), [[7]])
    letters = await clickhouse.query(
        "SELECT topic, partition, offset, key, value, length(value) AS size, stage, stack, "
        "reason, headers, trace_id FROM dead_letters"
    )
    found = {(row["topic"], row["partition"], row["offset"]): row for row in letters.dicts()}
    assert set(found) == set(positions)
    first = found[positions[0]]
    assert (first["key"], first["value"], first["stage"]) == ("k1", "no avro", "sink")
    assert first["headers"] == [{"name": "traceparent", "value": TRACEPARENT.decode()}]
    assert [row["trace_id"] for row in found.values() if row["trace_id"]] == [TRACE], "the others say nothing"
    assert "does not start with C3 01" in first["reason"]
    assert first["stack"].startswith("Traceback")
    large = found[positions[3]]
    assert MAX_MESSAGE_BYTES - 2**20 < large["size"] < MAX_MESSAGE_BYTES - 10_000
    assert [header["name"] for header in large["headers"]] == [CUT_HEADER]
    assert await asyncio.to_thread(committed, kafka, "runs", "dead.letters") == 25 + 1 + 6


class Unreachable:
    """An engine that does not answer inserts into `down`, which is the beginning of names."""

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.down: str | None = ""
        self.refused = 0
        self.run = inner.run
        self.run_read_only = inner.run_read_only

    def insert(self, table: str, columns: Sequence[str], data: bytes, input_format: str, token: str) -> None:
        if self.down is not None and table.startswith(self.down):
            self.refused += 1
            raise ClickHouseUnavailable("down")
        self._inner.insert(table, columns, data, input_format, token)

    async def refused_several(self) -> bool:
        return self.refused > 3

    def close(self) -> None:
        """The engine is the fixture's."""


async def test_while_clickhouse_is_down_nothing_is_committed_and_nothing_is_lost(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    engine = Unreachable(clickhouse._engine)
    async with sinking(kafka, ClickHouse(engine, clickhouse.database), retry_max_s=0.2):
        await producer.send_all([send("runs", records.run()) for _ in range(500)])
        await eventually(engine.refused_several, True)
        await producer.send_all([send("runs", records.run()) for _ in range(500)])
        assert await asyncio.to_thread(committed, kafka, "runs") == 0
        engine.down = "workflow_run"
        # One table that takes nothing is no matter of the others.
        await producer.send_all([send("trigger.events", records.event(), "event") for _ in range(50)])
        await eventually(rows(clickhouse, "SELECT count() FROM trigger_events"), [[50]])
        assert await asyncio.to_thread(committed, kafka, "runs") == 0
        engine.down = None
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[1000]])
    assert await asyncio.to_thread(committed, kafka, "runs") == 1000


async def test_a_sink_that_stops_while_clickhouse_is_down_leaves_its_batch_to_the_next(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    engine = Unreachable(clickhouse._engine)
    async with sinking(kafka, ClickHouse(engine, clickhouse.database)):
        await producer.send_all([send("runs", records.run()) for _ in range(10)])
        await eventually(engine.refused_several, True)
    assert await asyncio.to_thread(committed, kafka, "runs") == 0
    async with sinking(kafka, clickhouse):
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[10]])


async def test_one_of_the_sinks_keeps_the_rollups_and_another_takes_them_over(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of two is the keeper is for the group to say: whoever has the first partition of the runs."""
    # Else a refresh that took long on a busy machine puts off the next by twenty times as much.
    monkeypatch.setattr("sinks.rollups._DUTY", 1.0)
    first_of_runs = (kafka.full_name("runs"), 0)
    figures = rows(clickhouse, "SELECT sum(runs) FROM run_metrics_1m")

    async def one_more_run() -> None:
        await producer.send(send("runs", records.run()))

    async with AsyncExitStack() as first_lives, AsyncExitStack() as second_lives:
        lives = {
            await life.enter_async_context(sinking(kafka, clickhouse, rollup_interval_s=0.05)): life
            for life in (first_lives, second_lives)
        }

        async def keepers() -> int:
            """Once each sink has something to read."""
            return all(sink.assigned for sink in lives) and sum(
                first_of_runs in sink.assigned for sink in lives
            )

        await eventually(keepers, 1)
        await one_more_run()
        await eventually(figures, [[1]])
        await eventually(keepers, 1)
        keeper = next(sink for sink in lives if first_of_runs in sink.assigned)
        await lives.pop(keeper).aclose()
        await one_more_run()
        await eventually(figures, [[2]])


async def test_what_was_erased_is_asked_for_until_it_is_known(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, wrong = DefinitionsFeed.__aenter__, [RuntimeError("whatever it is")]

    async def begun(feed: DefinitionsFeed) -> DefinitionsFeed:
        if wrong:
            raise wrong.pop()
        return await begin(feed)

    monkeypatch.setattr(DefinitionsFeed, "__aenter__", begun)
    await producer.send(send("runs", records.run()))
    async with sinking(kafka, clickhouse):
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[1]])


async def test_sinks_come_and_go_and_the_others_take_over(
    kafka: KafkaSettings, producer: Producer, clickhouse: ClickHouse
) -> None:
    async def produce(until: asyncio.Event) -> list[Position]:
        positions = []
        while not until.is_set():
            positions += await producer.send_all([send("runs", records.run()) for _ in range(10)])
            await asyncio.sleep(0.02)
        return positions

    async with sinking(kafka, clickhouse):
        enough = asyncio.Event()
        producing = asyncio.create_task(produce(enough))
        # Also too short for the newcomer to get a partition.
        for life_s in (1.5, 2.0, 2.5):
            async with sinking(kafka, clickhouse):
                await asyncio.sleep(life_s)
        enough.set()
        sent = await producing
        await eventually(rows(clickhouse, "SELECT count() FROM workflow_runs"), [[len(sent)]])
    assert await asyncio.to_thread(committed, kafka, "runs") == len(sent)
