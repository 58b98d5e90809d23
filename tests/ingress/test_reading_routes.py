"""Runs, trigger logs and SQL over HTTP, on rows that the sink's tables have written."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp.test_utils import TestClient

from schemas.ids import conversation_id, new_id, workflow_run_id
from tests.graphs import answer, dsl, graph, start
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, write_own
from transport.clickhouse import ClickHouse

Json = dict[str, Any]


@pytest.fixture
async def client(stand_ins: StandIns, database: ClickHouse) -> AsyncIterator[Client]:
    """As everywhere in this folder, with a history."""
    async with TestClient(Server(assemble(stand_ins, new_settings(), database))) as client:
        yield client


async def call(client: Client, method: str, path: str, status: int = 200, **request: Any) -> Json:
    """The JSON of an authorised call."""
    async with client.request(method, f"/api/v1{path}", headers=AUTHORIZED, **request) as answer:
        assert answer.status == status, await answer.text()
        document: Json = await answer.json()
    return document


async def test_runs_are_listed_page_by_page_and_shown(client: Client, database: ClickHouse) -> None:
    runs = [records.run(created_at=START_US + n, status=s) for n, s in enumerate(("FAILED", "RUNNING"))]
    other = {**records.run(), "owner": new_id()}
    await write_own(database, "runs", *runs, other)
    first = await call(client, "GET", "/runs?limit=1")
    assert [row["id"] for row in first["data"]] == [runs[1]["id"]]
    second = await call(client, "GET", f"/runs?limit=1&cursor={first['next_cursor']}")
    assert [row["id"] for row in second["data"]] == [runs[0]["id"]]
    assert second["next_cursor"] is None
    failed = await call(client, "GET", "/runs?status=FAILED&since=2026-01-01&until=2027-01-01T00:00:00Z")
    assert [row["id"] for row in failed["data"]] == [runs[0]["id"]]
    shown = await call(client, "GET", f"/runs/{runs[0]['id']}")
    assert shown["inputs"] == {"a": 1}
    for run_id in (other["id"], new_id(), "no-uuid"):
        await call(client, "GET", f"/runs/{run_id}", 404)


async def test_runs_are_found_by_their_error(client: Client, database: ClickHouse) -> None:
    errors = ("node 'Pay' (pay): Timed out after 5 s", "node 'Pay' (pay): 100% refused", None)
    runs = [records.run(status="FAILED", error=error) for error in errors]
    await write_own(database, "runs", *runs)
    for text, expected in (
        ("timed OUT", runs[:1]),
        ("0% r", runs[1:2]),
        ("(pay)", runs[:2]),
        ("%", runs[1:2]),
    ):
        found = (await call(client, "GET", f"/runs?error={quote(text)}"))["data"]
        assert {row["id"] for row in found} == {run["id"] for run in expected}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=1001", "limit=" + "1" * 5000, "since=yesterday", "cursor=x"]
)
async def test_a_wrong_parameter_is_refused(query: str, client: Client) -> None:
    await call(client, "GET", f"/runs?{query}", 400)


async def test_nodes_and_trigger_logs_of_a_run(client: Client, database: ClickHouse) -> None:
    run = records.run()
    event_id = new_id()
    await write_own(database, "runs", run)
    nodes = [records.node(workflow_run_id=run["id"], index=index) for index in (2, 1)]
    await write_own(database, "node.executions", *nodes)
    log = records.trigger_log(workflow_run_id=run["id"], event_id=event_id, trigger_id="/orders/eu A-1")
    await write_own(database, "trigger.logs", log, records.trigger_log())
    listed = (await call(client, "GET", f"/runs/{run['id']}/nodes"))["data"]
    assert [row["id"] for row in listed] == [nodes[1]["id"], nodes[0]["id"]]
    named = f"trigger_id={quote('/orders/eu A-1')}"
    for query in (f"event_id={event_id}", named, f"workflow_run_id={run['id']}"):
        (found,) = (await call(client, "GET", f"/trigger-logs?{query}"))["data"]
        assert found["id"] == log["id"]
        assert found["trigger_data"] == {"type": "webhook"}


async def test_a_run_is_told_to_stop_once(client: Client, database: ClickHouse, stand_ins: StandIns) -> None:
    run, ended = records.run(), records.run(status="SUCCEEDED")
    await write_own(database, "runs", run, ended)
    await call(client, "POST", f"/runs/{ended['id']}/cancel", 409)
    await call(client, "POST", f"/runs/{new_id()}/cancel", 404)
    answers = [
        await call(client, "POST", f"/runs/{run['id']}/cancel", 202, json={"reason": "enough"})
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    commands = [s for s in stand_ins.sent.sends if s.topic == "run.commands"]
    assert [s.key for s in commands] == [run["id"].encode()] * 2
    command = CODEC.decode("RunCommand", commands[0].value)
    assert (command["kind"], command["workflow_run_id"]) == ("CANCEL", run["id"])
    assert command["command_id"] == answers[0]["command_id"]
    assert orjson.loads(command["payload"]) == {"reason": "enough"}


async def test_a_run_is_replayed_with_its_inputs_or_edited_ones(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    imported = await call(client, "POST", "/workflows/import?app=x&publish=true", 201, json=GRAPH)
    workflow_id = imported["workflow_id"]
    run = records.run(workflow_id=workflow_id, inputs='{"a":1,"b":2}', status="FAILED")
    await write_own(database, "runs", run, records.run(id=new_id(), workflow_id="gone"))
    replayed = await call(client, "POST", f"/runs/{run['id']}/replay", 202, json={"inputs": {"b": 3}})
    (event,) = stand_ins.sent.events()
    expected = workflow_run_id(event["dedup_key"], event["received_at"], workflow_id)
    assert replayed["workflow_run_id"] == expected != run["id"]
    assert event["replay_of"] == run["id"]
    data = orjson.loads(event["data"])
    assert data["inputs"] == {"a": 1, "b": 3}
    assert data["metadata"]["replay_of"] == run["id"]
    assert "system" not in data


async def test_a_turn_is_replayed_in_a_conversation_of_its_own(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    chat = dsl(graph([start(), answer("say", "{{#sys.query#}}")], ("start", "say")), "advanced-chat")
    imported = await call(client, "POST", "/workflows/import?app=chat&publish=true", 201, json=chat)
    run = records.run(workflow_id=imported["workflow_id"], inputs="{}")
    outputs = {"sys.query": "hello", "sys.files": [], "sys.conversation_id": "c", "sys.dialogue_count": 4}
    begun = records.node(workflow_run_id=run["id"], node_type="start", outputs=orjson.dumps(outputs).decode())
    await write_own(database, "runs", run)
    said = records.node(workflow_run_id=run["id"], node_type="answer", index=2)
    await write_own(database, "node.executions", begun, said)
    replayed = await call(client, "POST", f"/runs/{run['id']}/replay", 202)
    (event,) = stand_ins.sent.events()
    assert orjson.loads(event["data"])["system"] == {"query": "hello"}
    assert replayed["conversation_id"] == conversation_id(replayed["workflow_run_id"])


async def test_sql_sees_the_rows_of_the_tenant(client: Client, database: ClickHouse) -> None:
    await write_own(database, "runs", records.run(), {**records.run(), "owner": new_id()})
    query = {"query": "SELECT count() AS runs FROM workflow_runs"}
    found = await call(client, "POST", "/sql", json=query)
    assert found == {"columns": ["runs"], "types": ["UInt64"], "rows": [[1]], "truncated": False}
    for wrong in ("SELEC 1", "DROP TABLE workflow_runs", "SELECT * FROM system.tables"):
        await call(client, "POST", "/sql", 400, json={"query": wrong})


async def test_health_with_a_history(client: Client) -> None:
    async with client.get("/health/detailed") as answer:
        assert (await answer.json())["components"]["history"]["status"] == "healthy"
