"""What the chaos audit reads of the history is what sinks have written there."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bench.chaos.events import Event, event_ids, events
from bench.chaos.history import Tick, doubled_rows, events_there, runs_by_event, ticks
from bench.chaos.judge import judge
from ingress.sql import Sql
from schemas.topics import TOPICS
from sinks.table import Table
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, message
from transport.clickhouse import ClickHouse

DAY_US = 86_400_000_000
TRIGGER = str(uuid.UUID(int=9))


class History:
    """As `bench.deployment.Deployment`, without HTTP."""

    def __init__(self, database: ClickHouse) -> None:
        self._clickhouse = database
        self._sql = Sql(database)

    async def write(self, topic: str, *rows: Mapping[str, Any]) -> None:
        values = [CODEC.encode(TOPICS[topic].schema or "", row) for row in rows]
        await Table(topic, self._clickhouse, CODEC).write([message(topic, value) for value in values])

    async def select(self, sql: str) -> list[Mapping[str, Any]]:
        result = await self._sql.run(sql)
        assert not result.truncated
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


@pytest.fixture
async def history(database: ClickHouse) -> History:
    return History(database)


def event_of(kind: str) -> Event:
    return next(event for event in events(1) if event.kind.name == kind)


def as_json(**values: Any) -> str:
    return orjson.dumps(values).decode()


def rows_of(event: Event) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Run, log and node executions of an event whose kind ends well, with two attempts at each call."""
    run_id, log_id = str(uuid.uuid4()), str(uuid.uuid4())
    over = {"finished_at": START_US + 1, "elapsed_time": 3_600.0}
    run = records.run(
        id=run_id, trigger_log_id=log_id, status="PARTIAL_SUCCEEDED", inputs=as_json(**event.inputs), **over
    )
    log = records.trigger_log(id=log_id, workflow_run_id=run_id, status="SUCCESS")
    plan = event.kind.plan(event.inputs)
    nodes = []
    for name in plan.nodes:
        for number in range(plan.rounds.get(name, 1)):
            where = {"workflow_run_id": run_id, "node_id": name, **over}
            round_ = {"iteration_index": number} if name in plan.rounds else {}
            tried = as_json(retry_index=1, **round_)
            if name == "ship":
                nodes.append(records.node(status="retry", execution_metadata=tried, **where))
            metadata = as_json(**round_) if round_ else None
            nodes.append(records.node(execution_metadata=metadata, **where))
    return run, log, nodes


async def faults(history: History, event: Event) -> Sequence[str]:
    runs = await runs_by_event(history, {event.id}, event_ids(1))
    # Who called is not part of this.
    quiet = [
        replace(run, executions=tuple(one._replace(id="") for one in run.executions))
        for run in runs.get(event.id, [])
    ]
    found = [kind for kind, _ in judge(event, quiet, [], acknowledged=True)]
    return [kind for kind in found if kind != "unperformed"]


async def test_runs_come_with_all_that_is_known_of_them(history: History) -> None:
    event = event_of("collect")
    run, log, nodes = rows_of(event)
    assert await faults(history, event) == ["missing"]
    await history.write("runs", run)
    await history.write("node.executions", *nodes)
    assert await faults(history, event) == ["wrong_log"]
    await history.write("trigger.logs", log)
    assert not await faults(history, event)
    [found] = (await runs_by_event(history, {event.id}, event_ids(1)))[event.id]
    shipped = {node["id"] for node in nodes if node["node_id"] == "ship"}
    assert {one.id for one in found.executions} - {""} == shipped
    again = {**log, "id": str(uuid.uuid4())}
    await history.write("trigger.logs", again)
    assert await faults(history, event) == ["wrong_log"]
    await history.write("trigger.logs", {**again, "workflow_run_id": None, "revision": 2})
    await history.write("node.executions", {**nodes[-1], "id": str(uuid.uuid4())})
    assert await faults(history, event) == ["wrong_nodes"]
    await history.write(
        "node.executions", {**nodes[0], "status": "running", "finished_at": None, "revision": 2}
    )
    assert await faults(history, event) == ["stuck", "wrong_nodes"]
    await history.write("runs", {**run, "id": str(uuid.uuid4())})
    assert await faults(history, event) == ["doubled"]


async def test_a_run_that_goes_on_with_another_is_found(history: History) -> None:
    event = event_of("resume-charge")
    run, log, nodes = rows_of(event)
    failed = str(uuid.uuid4())
    await history.write("runs", {**run, "status": "SUCCEEDED"})
    await history.write("trigger.logs", {**log, "trigger_metadata": as_json(resumed_from=failed)})
    await history.write("node.executions", *nodes)
    [found] = (await runs_by_event(history, {event.id}, event_ids(1)))[event.id]
    assert (found.resumed_from, found.log_id, found.log_run_id) == (failed, log["id"], run["id"])
    assert (found.log_status, found.has_ended) == ("SUCCESS", True)


async def test_each_slice_of_the_events_is_read_once(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.chaos.history._AT_ONCE", 2)
    ids = [f"{event_ids(1)}{number:07d}" for number in range(7)]
    foreign = f"{event_ids(1)}9999999"
    inputs = [{"event_id": event_id} for event_id in (*ids, foreign)]
    await history.write("runs", *(records.run(inputs=as_json(**one)) for one in inputs))
    await history.write("trigger.events", *(records.event(data=as_json(body=one)) for one in inputs))
    found = await runs_by_event(history, set(ids), event_ids(1))
    assert {event_id: len(runs) for event_id, runs in found.items()} == dict.fromkeys([*ids, foreign], 1)
    assert await events_there(history, {*ids, "chaos1-0000008"}, event_ids(1)) == {*ids, foreign}


async def test_a_record_that_does_not_fold_is_counted(history: History) -> None:
    made = {
        "trigger.events": (records.event(), "received_at"),
        "trigger.logs": (records.trigger_log(), "created_at"),
        "runs": (records.run(), "event_at"),
        "node.executions": (records.node(), "event_at"),
    }
    for topic, (row, _) in made.items():
        await history.write(topic, row)
        await history.write(topic, row)
    assert not sum(count for _, count in await doubled_rows(history))
    for topic, (row, moved) in made.items():
        await history.write(topic, {**row, moved: START_US + DAY_US})
    assert {table for table, count in await doubled_rows(history) if count == 1} == {
        "trigger_events", "workflow_trigger_logs", "workflow_runs", "workflow_node_executions"
    }  # fmt: skip


async def test_times_of_a_schedule_have_their_runs(history: History) -> None:
    start_s = START_US // 1_000_000
    for offset_s, statuses in ((0, ["SUCCEEDED"]), (5, []), (10, ["SUCCEEDED", "FAILED"]), (15, ["RUNNING"])):
        log_id = str(uuid.uuid4())
        at_us = START_US + offset_s * 1_000_000
        log = records.trigger_log(
            id=log_id, created_at=at_us, trigger_type="SCHEDULE", app_trigger_id=TRIGGER
        )
        await history.write("trigger.logs", log)
        for status in statuses:
            await history.write("runs", records.run(trigger_log_id=log_id, status=status))
    found = await ticks(history, TRIGGER, range(start_s, start_s + 30, 5))
    assert found == [
        Tick(TRIGGER, start_s + offset_s, runs, succeeded)
        for offset_s, runs, succeeded in ((0, 1, 1), (5, 0, 0), (10, 2, 1), (15, 1, 0))
    ]
    assert not await ticks(history, TRIGGER, range(start_s + 20, start_s + 30, 5))
    assert not await ticks(history, "another", range(start_s, start_s + 30, 5))
