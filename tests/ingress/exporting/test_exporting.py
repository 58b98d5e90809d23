"""Exports over HTTP, of rows that the sink has written."""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiohttp import ClientConnectionResetError, ClientError, web
from pyarrow import parquet

from ingress.exporting import pages
from ingress.exporting.formats import FORMATS
from ingress.exporting.kinds import KINDS, LOGS, NODES, RUNS
from ingress.exporting.pages import Export
from ingress.exporting.routes import _slots
from ingress.history import SearchLimits
from ingress.keys import METRICS
from schemas.models import DEFAULT_TENANT
from schemas.search import RunFilter
from tests.ingress.stand_ins import AUTHORIZED, Client
from tests.ingress.test_reading_routes import client
from tests.sinks import records
from tests.sinks.records import START_US, write_own
from transport.clickhouse import ClickHouse

__all__ = ["client"]

DAY_US = 86_400_000_000
NOW = datetime(2027, 1, 1, tzinfo=UTC)


async def export(client: Client, query: str, path: str = "runs") -> tuple[Mapping[str, str], bytes]:
    async with client.get(f"/api/v1/{path}/export?{query}", headers=AUTHORIZED) as answer:
        assert answer.status == 200, await answer.text()
        return answer.headers, await answer.read()


RUN: dict[str, Any] = {
    "status": "FAILED",
    "inputs": '{"a": [1, "ü"]}',
    "error": "=cmd|' /C calc'!A0",
    "elapsed_time": 1.5,
    "total_tokens": 7,
    "app_id": "",
    "finished_at": START_US + 1_500_000,
}


async def test_a_run_is_the_same_in_each_format(client: Client, database: ClickHouse) -> None:
    run = records.run(**RUN)
    await write_own(database, "runs", run, {**records.run(), "owner": records.TENANT})
    headers, lines = await export(client, "format=jsonl&status=failed")
    assert headers["Content-Type"] == "application/x-ndjson"
    assert headers["Hopline-Rows"] == "1"
    assert headers["Content-Disposition"].startswith('attachment; filename="runs-')
    assert headers["Content-Disposition"].endswith('.jsonl"')
    assert b'"inputs":{"a": [1, "\xc3\xbc"]}' in lines
    row = orjson.loads(lines)
    assert tuple(row) == tuple(RUNS.columns)
    expected = {"id": run["id"], "app_id": None, "error": RUN["error"], "elapsed_time": 1.5, "outputs": None}
    assert {name: row[name] for name in expected} == expected
    assert row["event_at"] == "2026-11-18T11:06:40.000000Z"

    _, content = await export(client, "")
    [cells] = csv.DictReader(io.StringIO(content.decode()))
    assert tuple(cells) == tuple(RUNS.columns)
    assert (cells["inputs"], cells["total_tokens"], cells["app_id"]) == (RUN["inputs"], "7", "")
    assert cells["error"] == "'" + RUN["error"]
    assert cells["event_at"] == "2026-11-18 11:06:40.000000Z"

    _, content = await export(client, "format=parquet")
    [found] = parquet.read_table(io.BytesIO(content)).to_pylist()
    assert tuple(found) == tuple(RUNS.columns)
    assert {name: found[name] for name in expected} == expected
    assert found["event_at"] == datetime.fromtimestamp(START_US / 1e6, UTC)


async def test_what_belongs_to_the_runs(client: Client, database: ClickHouse) -> None:
    failed, other = records.run(status="FAILED"), records.run()
    await write_own(database, "runs", failed, other)
    for run in (failed, other):
        nodes = [records.node(workflow_run_id=run["id"], index=index) for index in (1, 2)]
        await write_own(database, "node.executions", *nodes)
        await write_own(database, "trigger.logs", records.trigger_log(workflow_run_id=run["id"]))
    _, nodes_of = await export(client, "format=jsonl&status=FAILED&what=nodes")
    assert {orjson.loads(line)["workflow_run_id"] for line in nodes_of.splitlines()} == {failed["id"]}
    assert len(nodes_of.splitlines()) == 2
    _, logs_of = await export(client, "format=jsonl&status=FAILED&what=trigger-logs")
    assert orjson.loads(logs_of)["workflow_run_id"] == failed["id"]
    headers, logs = await export(client, "format=jsonl&workflow_run_id=" + other["id"], "trigger-logs")
    assert orjson.loads(logs)["workflow_run_id"] == other["id"]
    assert headers["Content-Disposition"].startswith('attachment; filename="trigger-logs-')


@pytest.mark.parametrize("name", FORMATS)
async def test_a_file_without_rows_is_one(client: Client, name: str) -> None:
    headers, content = await export(client, f"format={name}&workflow_id=none")
    assert headers["Hopline-Rows"] == "0"
    if name == "csv":
        [names] = csv.reader(io.StringIO(content.decode()))
        assert names == list(RUNS.columns)
    elif name == "parquet":
        assert parquet.read_table(io.BytesIO(content)).column_names == list(RUNS.columns)
    else:
        assert content == b""
    _, empty = await export(client, f"format={name}&event_id=no-uuid", "trigger-logs")
    assert (b"app_trigger_id" in empty) == (name != "jsonl")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("format=xlsx", "format is one of csv, jsonl, parquet, not 'xlsx'"),
        ("what=events", "what is one of runs, nodes, trigger-logs"),
        ("limit=5", "no parameter limit"),
        ("where=a", "no condition like"),
    ],
)
async def test_a_wrong_request_is_a_problem(client: Client, query: str, why: str) -> None:
    async with client.get(f"/api/v1/runs/export?{query}", headers=AUTHORIZED) as answer:
        assert answer.status == 400
        assert why in (await answer.json())["detail"]


async def test_no_more_than_two_at_a_time(client: Client) -> None:
    with _slots.one(), _slots.one():
        async with client.get("/api/v1/runs/export", headers=AUTHORIZED) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    await export(client, "")


async def test_a_broken_export_is_no_whole_file(
    client: Client, database: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page cannot be read."""
    monkeypatch.setattr(pages, "_FIRST_ROWS", 1)
    await write_own(database, "runs", *(records.run() for _ in range(3)))
    real, asked = database.read, []

    async def fail(sql: str, parameters: Mapping[str, str], output_format: str) -> bytes:
        asked.append(sql)
        return await real(sql if len(asked) < 2 else "SELECT throwIf(1)", parameters, output_format)

    monkeypatch.setattr(database, "read", fail)
    async with client.get("/api/v1/runs/export", headers=AUTHORIZED) as answer:
        assert answer.status == 200
        with pytest.raises(Exception, match=r"(?i)payload|disconnected|reset"):
            await answer.read()


async def test_who_goes_away_in_between_is_no_fault_of_the_server(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of the tests ends a request whose client is gone. The real one writes on, and is told so."""
    statuses: list[int] = []

    async def gone(*_: object) -> None:
        raise ClientConnectionResetError("Cannot write to closing transport")

    monkeypatch.setattr(web.StreamResponse, "write", gone)
    monkeypatch.setattr(client.app[METRICS], "answered", lambda tag, status, seconds: statuses.append(status))
    with pytest.raises(ClientError):
        await export(client, "")
    assert statuses == [200]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_each_row_is_there_once_however_small_pages_are(
    database: ClickHouse, monkeypatch: pytest.MonkeyPatch, kind: Any
) -> None:
    """Over days, apps and workflows; what came and changed meanwhile does not move the pages."""
    monkeypatch.setattr(pages, "_FIRST_ROWS", 1)
    monkeypatch.setattr(pages, "_MOST_ROWS", 5)
    runs = [
        records.run(
            created_at=START_US - n % 3 * DAY_US,
            app_id=f"app{n % 2}" if n % 5 else "",
            workflow_id=f"{n % 4}",
        )
        for n in range(40)
    ]
    shared = ("app_id", "workflow_id", "created_at")
    of_runs = [{"workflow_run_id": run["id"], **{name: run[name] for name in shared}} for run in runs]
    rows = {
        RUNS.name: runs,
        NODES.name: [records.node(**one, index=index) for one in of_runs for index in (1, 2)],
        LOGS.name: [records.trigger_log(**one) for one in of_runs],
    }
    topics = {"runs": "runs", "nodes": "node.executions", "trigger-logs": "trigger.logs"}
    for one, topic in topics.items():
        await write_own(database, topic, *rows[one])
    late = {**records.run(created_at=int(NOW.timestamp() * 1e6) + 1)}
    await write_own(database, "runs", late)
    export = Export(database, kind, RunFilter(), DEFAULT_TENANT, now=NOW)
    outline = await export.outline()
    assert outline.rows == len(rows[kind.name])
    lines: list[bytes] = []
    async for page in export.pages(outline, FORMATS["jsonl"].open(kind)):
        lines += page.content.splitlines()
        changed = [{**row, "revision": 5} for row in rows[kind.name][:3]]
        await write_own(database, topics[kind.name], *changed)
    found = [orjson.loads(line) for line in lines]
    assert sorted(row["id"] for row in found) == sorted(row["id"] for row in rows[kind.name])
    days = [row[kind.time][:10] for row in found]
    assert days == sorted(days, reverse=True)


async def test_a_page_that_is_too_large_is_taken_in_smaller_ones(
    database: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = orjson.dumps({"text": "x" * 1_000_000}).decode()
    await write_own(database, "runs", *(records.run(inputs=text) for _ in range(20)))
    limits = SearchLimits(memory_bytes=40_000_000)
    export = Export(database, RUNS, RunFilter(), DEFAULT_TENANT, now=NOW, limits=limits)
    writer = FORMATS["jsonl"].open(RUNS)
    rows = [page.rows async for page in export.pages(await export.outline(), writer)]
    assert sum(rows) == 20
    assert len(rows) > 1
