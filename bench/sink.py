"""`python -m bench.sink --runs 200000`: one sink alone, between the embedded broker and the embedded engine.

First a backlog: rows/s and the CPU of the process, from the first row that can be queried to the last. Then
live: runs come at a steady rate, and each is looked for until it can be queried. A run is eight rows: an
event, its trigger log, the run twice and four nodes. The exit code is 0 only if each row is there once.
"""

import argparse
import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.measure import percentile
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from schemas.codec import SingleObjectCodec
from schemas.topics import TOPICS
from sinks.app import Sink
from sinks.rollups import Rollups
from sinks.settings import SinkSettings
from transport.admin import create_topics
from transport.clickhouse import ClickHouse
from transport.producer import Producer, Send
from transport.settings import ClickHouseSettings, KafkaSettings

_POLL_S = 0.1
_SENT_AT_ONCE = 2_000
_ORDER = '{"order":{"id":"0193b6a2","amount":120,"currency":"EUR","note":"as soon as you can, please"}}'
_CODEC = SingleObjectCodec()


@dataclass(frozen=True)
class Plan:
    """How much is written."""

    runs: int
    """Of the backlog."""
    per_second: int
    """Live."""
    seconds: int


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.sink", description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000, help="of the backlog, eight rows each")
    parser.add_argument("--per-second", type=int, default=500, help="live runs")
    parser.add_argument("--seconds", type=int, default=20, help="how long they come")
    given = parser.parse_args()
    try:
        return run(_measure(Plan(given.runs, given.per_second, given.seconds)))
    except Interrupted:
        return EXIT_CODE


async def _measure(plan: Plan) -> int:
    with tempfile.TemporaryDirectory(prefix="hopline-sink-") as home:
        broker = EmbeddedBroker(BrokerSettings(data_dir=Path(home), port=0))
        await broker.start(print)
        dsn = SecretStr(f"chdb://{home}/clickhouse")
        clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=dsn))
        try:
            kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
            await create_topics(kafka)
            await _catch_up(plan, kafka, clickhouse)
            live = await _live(plan, kafka, clickhouse)
            await _rollups(clickhouse, plan.runs + live)
            return 0 if await _complete(clickhouse, plan.runs + live) else 1
        finally:
            await clickhouse.close()
            await broker.stop()


async def _catch_up(plan: Plan, kafka: KafkaSettings, clickhouse: ClickHouse) -> None:
    producer = Producer(kafka, message_timeout_s=60)
    print(f"writing {plan.runs:,} runs to the topics")
    sends: list[Send] = []
    for number in range(plan.runs):
        sends.extend(_records(plan.runs - number))
        if len(sends) >= _SENT_AT_ONCE:
            await producer.send_all(sends)
            sends.clear()
    await producer.send_all(sends)
    await producer.close()
    async with _sinking(kafka, clickhouse, rollup_interval_s=3600) as rows:
        await _reached(rows, 1)
        first, began, cpu = rows(), time.perf_counter(), time.process_time()
        await _reached(rows, 8 * plan.runs)
        took_s, cpu_s, written = time.perf_counter() - began, time.process_time() - cpu, rows() - first
    print(f"backlog: {written / took_s:,.0f} rows/s, {cpu_s / written * 1e6:.1f} us of CPU a row")


async def _reached(rows: Callable[[], float], least: int) -> None:
    while rows() < least:  # noqa: ASYNC110 - a counter, which tells nobody
        await asyncio.sleep(0.01)


async def _live(plan: Plan, kafka: KafkaSettings, clickhouse: ClickHouse) -> int:
    """Returns how many runs there were."""
    producer = Producer(kafka, message_timeout_s=60)
    began_us, cpu = time.time_ns() // 1000, time.process_time()
    seen: list[float] = []
    async with _sinking(kafka, clickhouse):
        watching = asyncio.create_task(_watch(clickhouse, began_us, plan.per_second * plan.seconds, seen))
        count = await _at_a_steady_rate(plan, producer)
        await watching
    await producer.close()
    cpu_us = (time.process_time() - cpu) / count * 1e6
    p50, p95, worst = percentile(seen, 50), percentile(seen, 95), max(seen)
    print(f"live, {plan.per_second}/s: a run is there after {p50:.2f} s, p95 {p95:.2f}, at most {worst:.2f}")
    print(f"      {cpu_us:,.0f} us of CPU a run, the producer's and the look-out's included")
    return count


async def _at_a_steady_rate(plan: Plan, producer: Producer) -> int:
    began, sent = time.perf_counter(), 0
    while sent < plan.per_second * plan.seconds:
        due = min(int((time.perf_counter() - began) * plan.per_second) + 1, plan.per_second * plan.seconds)
        await producer.send_all([send for _ in range(due - sent) for send in _records(0)])
        sent = due
        await asyncio.sleep(0.01)
    return sent


async def _watch(clickhouse: ClickHouse, since_us: int, expected: int, seen: list[float]) -> None:
    """Adds to `seen` after how many seconds each run was found to have ended, a poll late at most."""
    known: set[str] = set()
    while len(known) < expected:
        found = await clickhouse.query(
            "SELECT id, toUnixTimestamp64Micro(event_at) FROM workflow_run_changes "
            f"WHERE event_at >= fromUnixTimestamp64Micro({since_us}) AND status = 'SUCCEEDED' "
            "AND recorded_at > now64(6) - INTERVAL 10 SECOND"
        )
        now_us = time.time_ns() // 1000
        for run_id, at_us in found.rows:
            if run_id not in known:
                known.add(run_id)
                seen.append((now_us - at_us) / 1e6)
        await asyncio.sleep(_POLL_S)


async def _rollups(clickhouse: ClickHouse, runs: int) -> None:
    await clickhouse.execute("TRUNCATE TABLE rollup_progress")
    cpu = time.process_time()
    await Rollups(clickhouse).refresh()
    cpu_us = (time.process_time() - cpu) / runs * 1e6
    print(f"rollups: all of it computed once takes {cpu_us:.1f} us of CPU a run")


async def _complete(clickhouse: ClickHouse, runs: int) -> bool:
    found = await clickhouse.query(
        "SELECT (SELECT count() FROM workflow_runs), (SELECT count() FROM workflow_node_executions), "
        "(SELECT count() FROM workflow_trigger_logs), (SELECT count() FROM trigger_events), "
        "(SELECT sum(runs) FROM run_metrics_1d)"
    )
    expected = [runs, 4 * runs, runs, runs, runs]
    print(f"runs, nodes, logs, events, runs of the rollup: {found.rows[0]}")
    if found.rows != [expected]:
        print(f"expected {expected}", file=sys.stderr)
    return found.rows == [expected]


@asynccontextmanager
async def _sinking(
    kafka: KafkaSettings, clickhouse: ClickHouse, **settings: Any
) -> AsyncIterator[Callable[[], float]]:
    """Yields what tells how many rows it has written."""
    registry, stop = CollectorRegistry(), asyncio.Event()
    sink = Sink(SinkSettings(**settings), kafka, SingleObjectCodec(), clickhouse, registry)
    await sink.prepare()
    running = asyncio.create_task(sink.run_until(stop))

    def rows() -> float:
        samples = (one for metric in registry.collect() for one in metric.samples)
        return sum(one.value for one in samples if one.name == "hopline_sink_rows_total")

    try:
        yield rows
    finally:
        stop.set()
        await running


def _records(ago_ms: int) -> Iterator[Send]:
    """What a run leaves in the topics, if its event came so many milliseconds ago."""
    at_us = time.time_ns() // 1000 - ago_ms * 1000
    ids = {"tenant_id": "tenant", "app_id": "app", "workflow_id": "workflow"}
    run_id, event_id = str(uuid.uuid4()), str(uuid.uuid4())
    begun = {
        **ids,
        "id": run_id,
        "revision": 1,
        "type": "workflow",
        "triggered_from": "app-run",
        "version": "2026-01-01 00:00:00.000000",
        "graph_hash": "0" * 64,
        "inputs": _ORDER,
        "status": "RUNNING",
        "created_at": at_us + 2000,
        "event_at": at_us,
    }
    ended = {"finished_at": at_us + 9000, "elapsed_time": 0.007, "outputs": _ORDER}
    yield _send(
        "trigger.events",
        event_id,
        event_id=event_id,
        trigger_id=event_id,
        dedup_key=event_id,
        dedup_window_ms=30_000,
        tenant_id="tenant",
        trigger_type="WEBHOOK",
        received_at=at_us,
        data=_ORDER,
    )
    yield _send("runs", run_id, **begun)
    for index, node in enumerate(("start", "if-else", "template-transform", "end"), 1):
        yield _send(
            "node.executions",
            run_id,
            **ids,
            **ended,
            id=(node_id := str(uuid.uuid4())),
            revision=2,
            triggered_from="workflow-run",
            workflow_run_id=run_id,
            index=index,
            node_execution_id=node_id,
            node_id=node,
            node_type=node,
            title=node,
            inputs=_ORDER,
            status="succeeded",
            created_at=at_us + 2000,
            event_at=at_us,
        )
    yield _send("runs", run_id, **{**begun, **ended, "revision": 2, "status": "SUCCEEDED", "total_steps": 4})
    yield _send(
        "trigger.logs",
        event_id,
        **ids,
        **ended,
        id=event_id,
        revision=2,
        workflow_run_id=run_id,
        trigger_type="WEBHOOK",
        trigger_data=_ORDER,
        inputs=_ORDER,
        status="SUCCESS",
        created_at=at_us,
        triggered_at=at_us + 2000,
    )


def _send(topic: str, key: str, **record: Any) -> Send:
    return Send(topic, key.encode(), _CODEC.encode(TOPICS[topic].schema or "", record))


if __name__ == "__main__":
    sys.exit(main())
