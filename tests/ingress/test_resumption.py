"""A failed run is resumed over HTTP, on rows that the sink's tables have written."""

from typing import Any

import orjson
import pytest

from ingress import resumption
from schemas.ids import new_id, workflow_run_id
from schemas.references import document_digest, value_key
from tests.graphs import Json, answer, code, dsl, end, graph, start
from tests.ingress.stand_ins import Client, StandIns
from tests.ingress.test_reading_routes import call, client
from tests.sinks import records
from tests.sinks.records import write_own
from transport.clickhouse import ClickHouse

__all__ = ["client"]

GRAPH = graph([start(), code("a"), code("b"), end()], ("start", "a"), ("a", "b"), ("b", "end"))


@pytest.fixture
async def workflow(client: Client) -> Json:
    """The published one."""
    return await call(client, "POST", "/workflows/import?app=x&publish=true", 201, json=GRAPH)


@pytest.fixture
async def failed(database: ClickHouse, workflow: Json) -> Json:
    """A run whose last node has failed."""
    known = {"workflow_id": workflow["workflow_id"]}
    log = records.trigger_log(root_node_id="hook", **known)
    known["version"] = workflow["version"]
    run = records.run(
        status="FAILED",
        inputs='{"q":1}',
        total_steps=3,
        exceptions_count=1,
        trigger_log_id=log["id"],
        **known,
    )
    said = orjson.dumps({"q": 1, "sys.user_id": "ada", "sys.files": []}).decode()
    nodes = [
        _node(run, 1, "start", "start", outputs=said),
        _node(run, 2, "a", "code", outputs='{"result":"of a"}'),
        _node(run, 3, "b", "code", status="failed", error="no"),
    ]
    await write_own(database, "node.executions", *nodes)
    await write_own(database, "trigger.logs", log)
    await write_own(database, "runs", run)
    return run


def _node(run: Json, index: int, node_id: str, kind: str, **changes: Any) -> Json:
    return records.node(workflow_run_id=run["id"], index=index, node_id=node_id, node_type=kind, **changes)


def event(stand_ins: StandIns) -> tuple[Json, Json]:
    """The one that was accepted, and its data."""
    (found,) = stand_ins.sent.events()
    return found, orjson.loads(found["data"])


async def test_a_failed_run_goes_on_in_a_new_one(
    client: Client, failed: Json, workflow: Json, stand_ins: StandIns
) -> None:
    told = await call(client, "POST", f"/runs/{failed['id']}/resume", 202, json={})
    accepted, data = event(stand_ins)
    expected = workflow_run_id(accepted["dedup_key"], accepted["received_at"], failed["workflow_id"])
    assert told == {
        "workflow_run_id": expected,
        "resumed_from": failed["id"],
        "version": workflow["version"],
        "duplicate": False,
    }
    assert (accepted["trigger_type"], accepted["replay_of"]) == ("MANUAL", failed["id"])
    assert (data["inputs"], data["system"]) == ({"q": 1}, {"user_id": "ada"})
    assert data["metadata"]["resumed_from"] == failed["id"]
    assert data["metadata"]["root_node_id"] == "hook"
    assert data["metadata"]["version"] == workflow["version"]
    assert data["resumption"]["workflow_run_id"] == failed["id"]
    kept = orjson.loads(data["resumption"]["kept"])
    assert {name: one["outputs"] for name, one in kept.items()} == {
        "start": {"q": 1, "sys.user_id": "ada", "sys.files": []},
        "a": {"result": "of a"},
    }


async def test_it_goes_on_once(client: Client, failed: Json, stand_ins: StandIns) -> None:
    """Also where another version is to: the run that goes on may have failed, and have done more by then."""
    path = f"/runs/{failed['id']}/resume"
    first = await call(client, "POST", path, 202)
    fixed = graph([start(), code("a"), code("b", x=["a", "result"]), end()], ("start", "a"), ("a", "b"))
    await call(client, "POST", "/workflows/import?app=x&publish=true", 200, json=fixed)
    for body in ({}, {"version": "latest"}):
        again = await call(client, "POST", path, 200, json=body)
        assert again == {**first, "version": None, "duplicate": True}
    assert len({one["dedup_key"] for one in stand_ins.sent.events()}) == 1


async def test_a_newer_version_goes_on(client: Client, failed: Json, stand_ins: StandIns) -> None:
    fixed = graph([start(), code("a"), code("b", x=["a", "result"]), end()], ("start", "a"), ("a", "b"))
    newer = await call(client, "POST", "/workflows/import?app=x&publish=true", 200, json=fixed)
    body = {"version": "latest"}
    told = await call(client, "POST", f"/runs/{failed['id']}/resume", 202, json=body)
    assert told["version"] == newer["version"] != failed["version"]
    assert event(stand_ins)[1]["metadata"]["version"] == newer["version"]


async def test_a_run_that_the_history_knows_is_named(
    client: Client, database: ClickHouse, failed: Json, stand_ins: StandIns
) -> None:
    """Long after the window in which the stream recognises the event."""
    name, started = f"resume/{failed['id']}", new_id()
    log = records.trigger_log(
        workflow_id=failed["workflow_id"], workflow_run_id=started, trigger_id=name, status="SUCCESS",
        trigger_type="MANUAL",
    )  # fmt: skip
    repeated = {**log, "id": new_id(), "workflow_run_id": None, "status": "STOPPED"}
    await write_own(database, "trigger.logs", log, repeated)
    told = await call(client, "POST", f"/runs/{failed['id']}/resume", 200)
    assert (told["workflow_run_id"], told["duplicate"]) == (started, True)
    assert stand_ins.sent.events() == []


async def test_much_goes_by_the_object_storage(
    client: Client, failed: Json, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumption, "_INLINE_BYTES", 10)
    await call(client, "POST", f"/runs/{failed['id']}/resume", 202)
    _, data = event(stand_ins)
    digest = document_digest(data["resumption"]["kept"])
    assert digest is not None
    tenant_id = (await call(client, "GET", f"/runs/{failed['id']}"))["tenant_id"]
    stored = await stand_ins.storage.get(value_key(tenant_id, failed["id"], digest))
    assert set(orjson.loads(stored)) == {"start", "a"}


async def test_a_node_that_is_gone_is_named(client: Client, failed: Json, stand_ins: StandIns) -> None:
    without = graph([start(), code("b"), end()], ("start", "b"), ("b", "end"))
    await call(client, "POST", "/workflows/import?app=x&publish=true", 200, json=without)
    path = f"/runs/{failed['id']}/resume"
    problem = await call(client, "POST", path, 409, json={"version": "latest"})
    ((row),) = problem["errors"]
    assert row["node"] == "a"
    assert "is gone in version" in row["why"]
    assert "has no version 'v9'" in (await call(client, "POST", path, 409, json={"version": "v9"}))["detail"]
    assert stand_ins.sent.events() == []


async def test_what_cannot_be_resumed(
    client: Client, database: ClickHouse, failed: Json, stand_ins: StandIns
) -> None:
    chat = dsl(graph([start(), answer("say", "hi")], ("start", "say")), "advanced-chat")
    imported = await call(client, "POST", "/workflows/import?app=chat&publish=true", 201, json=chat)
    turn = records.run(status="FAILED", type="chat", workflow_id=imported["workflow_id"])
    paused = records.run(status="PAUSED")
    early = records.run(**{**failed, "id": new_id()})
    await write_own(database, "runs", turn, paused, early)
    resumed = {
        name: await call(client, "POST", f"/runs/{run['id']}/resume", status, json=body)
        for name, run, status, body in (
            ("turn", turn, 409, {}),
            ("answer", failed, 409, {"action": "yes"}),
            ("paused", paused, 409, {"version": "latest"}),
            ("early", early, 503, {}),
        )
    }
    assert "conversation" in resumed["turn"]["detail"]
    assert "waits for no answer" in resumed["answer"]["detail"]
    assert "only a run that has failed" in resumed["paused"]["detail"]
    assert "send it again" in resumed["early"]["detail"]
    assert stand_ins.sent.sends == []
