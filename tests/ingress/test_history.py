"""The read side of the run history, on rows that the sink has written."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from obstore.store import MemoryStore

from ingress.assembly import Assembler
from ingress.cursors import new_cursor
from ingress.errors import Malformed
from ingress.history import MAX_LIMIT, History, LetterFilter
from schemas.models import Workflow, WorkflowType
from schemas.references import digest_of, reference, value_key
from schemas.search import LogFilter, RunFilter
from schemas.summaries import offloaded, summary
from sinks.graphs import Graphs
from tests.sinks import records
from tests.sinks.records import APP, CODEC, START_US, TENANT, WORKFLOW, message, write
from transport.clickhouse import ClickHouse
from transport.definitions import WORKFLOWS
from transport.storage import Storage
from transport.values import Upload, ValueStore

START = datetime.fromtimestamp(START_US / 1_000_000, UTC)
MINUTE_US = 60_000_000
OTHERS = "00000000-0000-0000-0000-0000000000ff"


@pytest.fixture
def values() -> ValueStore:
    return ValueStore(Storage(MemoryStore()))


@pytest.fixture
def history(database: ClickHouse, values: ValueStore) -> History:
    return History(database, Assembler(values), now=lambda: START + timedelta(days=60))


async def test_runs_are_listed_newest_first(database: ClickHouse, history: History) -> None:
    runs = [records.run(created_at=START_US + n * MINUTE_US) for n in range(3)]
    await write(database, "runs", *runs)
    page = await history.runs(RunFilter(), 10, tenant_id=TENANT)
    assert [row["id"] for row in page.rows] == [run["id"] for run in reversed(runs)]
    assert page.next_cursor is None
    assert page.rows[0]["inputs"] == {"a": 1}
    assert page.rows[0]["created_at"] == "2026-11-18T11:08:40.000000Z"
    assert "graph" not in page.rows[0]


async def test_pages_are_whole_and_stable_while_runs_arrive(database: ClickHouse, history: History) -> None:
    # Five of them in the same microsecond, and all of them over two months.
    times = [START_US] * 5 + [START_US - n * 1500 * MINUTE_US for n in range(1, 40)]
    runs = [records.run(created_at=at) for at in times]
    await write(database, "runs", *runs)
    seen: list[str] = []
    cursor = None
    while True:
        page = await history.runs(RunFilter(), 4, cursor, tenant_id=TENANT)
        seen += [row["id"] for row in page.rows]
        await write(database, "runs", records.run(created_at=START_US + MINUTE_US))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(run["id"] for run in runs)


_ELSEWHERE = """
import asyncio, sys
from pydantic import SecretStr
from ingress.assembly import Assembler
from ingress.history import History
from ingress.sql import Sql
from schemas.search import RunFilter, moment
from sinks.migrate import migrate
from tests.sinks.records import TENANT, run, write
from transport.clickhouse import ClickHouse
from transport.settings import ClickHouseSettings

async def main():
    clickhouse = await ClickHouse.connect(ClickHouseSettings(dsn=SecretStr(sys.argv[1])))
    await migrate(clickhouse)
    await write(clickhouse, "runs", *(run() for _ in range(3)))
    history = History(clickhouse, None)
    chosen = RunFilter(since=moment("2026-11-18T11:06Z"), until=moment("2026-11-18T11:07Z"))
    cursor, found = None, []
    for _ in range(3):
        page = await history.runs(chosen, 1, cursor, tenant_id=TENANT)
        cursor, found = page.next_cursor, found + [row["id"] for row in page.rows]
    same = "toDateTime('2026-11-18 11:06:40') = event_at"
    asked = await Sql(clickhouse).run(f"SELECT countIf({same}) FROM workflow_runs")
    print(len(set(found)), *asked.rows)

asyncio.run(main())
"""


async def test_times_are_utc_wherever_the_machine_is(tmp_path: Path) -> None:
    elsewhere = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _ELSEWHERE, f"chdb://{tmp_path}"),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TZ": "America/New_York"},
    )
    told, _ = await elsewhere.communicate()
    assert told.decode() == "3 [3]\n"


async def test_filters_are_all_applied(database: ClickHouse, history: History) -> None:
    wanted = records.run(status="FAILED", created_at=START_US + 5)
    others = [
        {"tenant_id": OTHERS},
        {"app_id": OTHERS},
        {"workflow_id": OTHERS},
        {"status": "SUCCEEDED"},
        {"created_at": START_US},
        {"created_at": START_US + 10},
    ]
    await write(
        database,
        "runs",
        wanted,
        *(records.run(**{"status": "FAILED", "created_at": START_US + 5} | o) for o in others),
    )
    chosen = RunFilter(
        app_id=APP,
        workflow_id=(WORKFLOW,),
        status=("FAILED",),
        since=START + timedelta(microseconds=5),
        until=START + timedelta(microseconds=10),
    )
    page = await history.runs(chosen, 10, tenant_id=TENANT)
    assert [row["id"] for row in page.rows] == [wanted["id"]]


async def test_the_page_size_is_bounded(history: History) -> None:
    for limit in (0, 10 * MAX_LIMIT):
        assert (await history.runs(RunFilter(), limit, tenant_id=None)).rows == []


@pytest.mark.parametrize("shape", ["{{{}}}", "urn:uuid:{}", "-{}"], ids=["braces", "urn", "a dash"])
async def test_an_id_of_another_shape_finds_nothing(
    database: ClickHouse, history: History, shape: str
) -> None:
    run = records.run()
    await write(database, "runs", run)
    assert await history.run(run["id"].replace("-", "").upper()) is not None
    wanted = shape.format(run["id"])
    assert await history.run(wanted) is None
    assert await history.node_executions(wanted) == []
    page = await history.trigger_logs(LogFilter(workflow_run_id=wanted), 10, tenant_id=None)
    assert page.rows == []


_AN_ID = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("time", ["2026-01-01T00:00:00", "9999-12-31T23:59:59.999999-01:00"])
async def test_a_cursor_of_any_time_is_a_place(history: History, time: str) -> None:
    assert (await history.runs(RunFilter(), 10, new_cursor(f"{time} {_AN_ID}"), tenant_id=TENANT)).rows == []


@pytest.mark.parametrize("cursor", ["", "x", "eHg=", "MjAyNi0wMS0wMSB4"])
async def test_a_foreign_cursor_is_refused(history: History, cursor: str) -> None:
    with pytest.raises(Malformed, match="cursor"):
        await history.runs(RunFilter(), 10, cursor, tenant_id=TENANT)


async def test_one_run_has_its_graph(database: ClickHouse, history: History) -> None:
    graph = {"nodes": [], "edges": []}
    await Graphs(database, CODEC).write([message(WORKFLOWS, records.workflow(graph))])
    version = Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="draft", graph=graph)
    run = records.run(graph_hash=version.graph_hash, outputs='{"text":"é"}')
    await write(database, "runs", run)
    found = await history.run(run["id"], TENANT)
    assert found is not None
    assert (found.graph_dict, found.outputs_dict, found.error) == (graph, {"text": "é"}, None)
    assert await history.run(run["id"], OTHERS) is None
    assert await history.run(OTHERS) is None
    assert await history.run("no uuid' OR 1") is None


async def test_nodes_come_in_the_order_of_execution(database: ClickHouse, history: History) -> None:
    run_id = records.run()["id"]
    nodes = [records.node(workflow_run_id=run_id, index=index) for index in (3, 1, 2)]
    await write(database, "node.executions", *nodes, records.node())
    found = await history.node_executions(run_id, TENANT)
    assert [one.index for one in found] == [1, 2, 3]
    assert await history.node_executions(run_id, OTHERS) == []
    assert await history.node_executions("nothing") == []


async def test_trigger_logs_by_event(database: ClickHouse, history: History) -> None:
    log = records.trigger_log(event_id=OTHERS, app_id=None, workflow_id=None)
    await write(database, "trigger.logs", log, records.trigger_log())
    page = await history.trigger_logs(LogFilter(event_id=OTHERS), 10, tenant_id=None)
    assert [(row["id"], row["app_id"]) for row in page.rows] == [(log["id"], None)]
    assert (await history.trigger_logs(LogFilter(event_id="no uuid"), 10, tenant_id=None)).rows == []
    found = await history.trigger_log(log["id"], TENANT)
    assert found is not None
    assert found["trigger_data"] == {"type": "webhook"}


async def test_a_dead_letter_keeps_its_bytes(database: ClickHouse, history: History) -> None:
    letter, empty = (
        records.dead_letter(),
        records.dead_letter(key=None, value=None, headers=[], status="REPLAYED"),
    )
    await write(database, "dead.letters", letter, empty)
    page = await history.dead_letters(LetterFilter(status="PENDING"), 10)
    assert [row["id"] for row in page.rows] == [letter["id"]]
    assert "value" not in page.rows[0]
    found = await history.dead_letter(letter["id"])
    assert found is not None
    assert (found["key"], found["value"]) == (letter["key"], letter["value"])
    assert found["headers"] == [("traceparent", b"\xff")]
    found = await history.dead_letter(empty["id"])
    assert found is not None
    assert (found["key"], found["value"], found["headers"], found["tenant_id"]) == (None, None, [], None)


async def test_what_was_offloaded_is_put_together_again(
    database: ClickHouse, history: History, values: ValueStore
) -> None:
    run = records.run()
    large = orjson.dumps("x" * 1000)
    whole = orjson.dumps({"n": 1, "text": reference(large, "x" * 1000)})
    for content in (large, whole):
        await values.put_all([Upload(value_key(TENANT, run["id"], digest_of(content)), content)])
    shown = offloaded(summary({"n": 1, "text": "x" * 1000}, 100), run["id"], digest_of(whole), 2000)
    gone = offloaded({"n": 1}, run["id"], "0" * 64, 2000)
    run |= {"outputs": orjson.dumps(shown).decode(), "inputs": orjson.dumps(gone).decode()}
    await write(database, "runs", run)
    found = await history.run(run["id"])
    assert found is not None
    assert found.outputs_dict == {"n": 1, "text": "x" * 1000}
    assert found.inputs_dict == gone
    (row,) = (await history.runs(RunFilter(), 1, tenant_id=None)).rows
    assert row["outputs"] == shown
    assert len(row["outputs"]["text"]) < 200
