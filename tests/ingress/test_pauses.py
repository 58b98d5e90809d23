"""Answers to paused runs over HTTP, on rows that the sink's tables have written."""

from typing import Any

import orjson
import pytest

from schemas.ids import new_id
from tests.ingress.stand_ins import Client, StandIns
from tests.ingress.test_reading_routes import call, client
from tests.sinks import records
from tests.sinks.records import CODEC, write_own
from transport.clickhouse import ClickHouse

__all__ = ["client"]

Json = dict[str, Any]

METADATA = {
    "type": "human_input_required",
    "node_id": "ask",
    "node_title": "Ask",
    "message": "Is it **fine**?",
    "timeout_seconds": 7200,
    "inputs_schema": {
        "comment": {"type": "paragraph", "required": True},
        "grade": {"type": "select", "options": ["a", "b"], "default": "a"},
    },
    "actions": [{"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"}],
}


def waiting(run: Json, *, answered_by: str | None = None, **changes: Any) -> Json:
    """The node execution of a pause."""
    execution_id = new_id()
    pause = {"id": execution_id, "pause_expires_at": 1_800_000_000, "pause_metadata": METADATA}
    if answered_by:
        pause["interaction_id"] = answered_by
    return records.node(
        **{
            "id": execution_id,
            "node_execution_id": execution_id,
            "workflow_run_id": run["id"],
            "node_id": "ask",
            "node_type": "human-input",
            "status": "succeeded" if answered_by else "paused",
            "execution_metadata": orjson.dumps({"pause": pause}).decode(),
            **changes,
        }
    )


@pytest.fixture
async def paused(database: ClickHouse, client: Client) -> tuple[Json, Json]:
    """A run and the node execution that it waits for."""
    run = records.run(status="PAUSED")
    pause = waiting(run)
    await write_own(database, "runs", run)
    await write_own(database, "node.executions", pause, records.node(workflow_run_id=run["id"]))
    return run, pause


def told(stand_ins: StandIns) -> list[Json]:
    """The payloads of the RESUME commands."""
    commands = [CODEC.decode("RunCommand", send.value) for send in stand_ins.sent.sends]
    assert {command["kind"] for command in commands} <= {"RESUME"}
    return [orjson.loads(command["payload"]) for command in commands]


async def test_a_run_shows_what_it_waits_for(client: Client, paused: tuple[Json, Json]) -> None:
    run, pause = paused
    (shown,) = (await call(client, "GET", f"/runs/{run['id']}"))["pauses"]
    assert shown["id"] == pause["id"]
    assert shown["workflow_run_id"] == run["id"]
    assert (shown["pause_expires_at"], shown["pause_metadata"]) == (1_800_000_000, METADATA)


async def test_an_answer_is_told_to_the_run(
    client: Client, paused: tuple[Json, Json], stand_ins: StandIns
) -> None:
    run, pause = paused
    body = {"inputs": {"comment": "fine"}, "action": "yes"}
    answers = [await call(client, "POST", f"/runs/{run['id']}/resume", 202, json=body) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0] == {
        "workflow_run_id": run["id"],
        "pause_id": pause["id"],
        "interaction_id": f"answer/{pause['id']}",
        "duplicate": False,
    }
    assert told(stand_ins)[0] == {
        "interaction_id": f"answer/{pause['id']}",
        "node_execution_id": pause["id"],
        "inputs": {"comment": "fine"},
        "action": "yes",
        "by": "bootstrap",
    }


async def test_a_bad_answer_is_refused_field_by_field(
    client: Client, paused: tuple[Json, Json], stand_ins: StandIns
) -> None:
    path = f"/runs/{paused[0]['id']}/resume"
    refused = await call(client, "POST", path, 422, json={"inputs": {"grade": "c", "x": 1}})
    assert [(row["field"], row["why"]) for row in refused["errors"]] == [
        ("inputs.comment", "is required in input form"),
        ("inputs.grade", "in input form must be one of a, b"),
        ("inputs.x", "is no field of the form"),
        ("action", "must be one of yes, no"),
    ]
    assert not told(stand_ins)


async def test_an_answer_that_the_run_had_is_told_once(
    client: Client, database: ClickHouse, paused: tuple[Json, Json], stand_ins: StandIns
) -> None:
    run, _ = paused
    before = waiting(run, answered_by="click-1")
    await write_own(database, "node.executions", before)
    body = {"inputs": {}, "action": "yes", "interaction_id": "click-1"}
    answer = await call(client, "POST", f"/runs/{run['id']}/resume", 200, json=body)
    assert (answer["pause_id"], answer["duplicate"]) == (before["id"], True)
    assert not told(stand_ins)


async def test_an_answer_needs_one_pause(
    client: Client, database: ClickHouse, paused: tuple[Json, Json], stand_ins: StandIns
) -> None:
    run, pause = paused
    path, body = f"/runs/{run['id']}/resume", {"inputs": {"comment": "x"}, "action": "no"}
    other = await call(client, "POST", path, 409, json={**body, "node_id": "another"})
    assert "ask" in other["detail"]
    await write_own(database, "node.executions", waiting(run))
    several = await call(client, "POST", path, 409, json=body)
    assert "several pauses fit" in several["detail"]
    await call(client, "POST", path, 202, json={**body, "pause_id": pause["id"]})
    assert [payload["node_execution_id"] for payload in told(stand_ins)] == [pause["id"]]
    ended = records.run(status="SUCCEEDED", finished_at=records.START_US)
    await write_own(database, "runs", ended)
    nothing = await call(client, "POST", f"/runs/{ended['id']}/resume", 409, json=body)
    assert "waits for no answer" in nothing["detail"]
    await call(client, "POST", f"/runs/{new_id()}/resume", 404, json=body)


async def test_a_node_that_was_run_alone_can_be_answered(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    step_id, alone = new_id(), {"workflow_run_id": None, "triggered_from": "single-step"}
    pause = waiting({"id": None}, **alone)
    metadata = orjson.loads(pause["execution_metadata"])
    metadata["pause"]["workflow_run_id"] = step_id
    pause["execution_metadata"] = orjson.dumps(metadata).decode()
    await write_own(database, "node.executions", pause)
    path, body = f"/node-executions/{pause['id']}/resume", {"inputs": {"comment": "x"}, "action": "no"}
    refused = await call(client, "POST", path, 422, json={**body, "action": "perhaps"})
    assert "must be one of yes, no" in refused["detail"]
    answer = await call(client, "POST", path, 202, json={**body, "interaction_id": "click"})
    assert (answer["workflow_run_id"], answer["duplicate"]) == (step_id, False)
    (sent,) = stand_ins.sent.sends
    assert sent.key == step_id.encode()
    assert told(stand_ins)[0]["node_execution_id"] == pause["id"]


async def test_a_node_is_answered_once(
    client: Client, database: ClickHouse, paused: tuple[Json, Json], stand_ins: StandIns
) -> None:
    run, pause = paused
    body = {"inputs": {"comment": "x"}, "action": "no", "interaction_id": "click"}
    await call(client, "POST", f"/node-executions/{pause['id']}/resume", 202, json=body)
    before = waiting(run, answered_by="click")
    other = records.node(workflow_run_id=run["id"])
    await write_own(database, "node.executions", before, other)
    path = f"/node-executions/{before['id']}/resume"
    assert (await call(client, "POST", path, 200, json=body))["duplicate"]
    again = await call(client, "POST", path, 409, json={**body, "interaction_id": "another"})
    assert "waits for no answer any more" in again["detail"]
    never = await call(client, "POST", f"/node-executions/{other['id']}/resume", 409, json=body)
    assert "never waited" in never["detail"]
    await call(client, "POST", f"/node-executions/{new_id()}/resume", 404, json=body)
    assert len(told(stand_ins)) == 1


MOMENT = {
    "type": "scheduling_pause",
    "node_id": "nap",
    "node_title": "Nap",
    "message": "",
    "resume_at": 1_800_000_000,
    "reason": "Rate limit throttling",
}


@pytest.fixture
async def napping(database: ClickHouse) -> tuple[Json, Json]:
    """A run that waits for a moment, and the node execution that does."""
    run = records.run(status="PAUSED")
    pause = waiting(run, node_id="nap", node_type="wait")
    told_of = orjson.loads(pause["execution_metadata"])
    told_of["pause"]["pause_metadata"] = MOMENT
    pause["execution_metadata"] = orjson.dumps(told_of).decode()
    await write_own(database, "runs", run)
    await write_own(database, "node.executions", pause)
    return run, pause


async def test_a_run_shows_until_when_it_waits_and_why(client: Client, napping: tuple[Json, Json]) -> None:
    (shown,) = (await call(client, "GET", f"/runs/{napping[0]['id']}"))["pauses"]
    assert (shown["id"], shown["pause_metadata"]) == (napping[1]["id"], MOMENT)


async def test_a_wait_is_ended_by_an_empty_answer_alone(
    client: Client, napping: tuple[Json, Json], stand_ins: StandIns
) -> None:
    run, pause = napping
    path = f"/runs/{run['id']}/resume"
    refused = await call(client, "POST", path, 422, json={"inputs": {"x": 1}, "action": "yes"})
    assert [row["field"] for row in refused["errors"]] == ["inputs.x", "action"]
    answer = await call(client, "POST", path, 202, json={})
    assert (answer["pause_id"], answer["interaction_id"]) == (pause["id"], f"answer/{pause['id']}")
    (payload,) = told(stand_ins)
    assert (payload["node_execution_id"], payload["inputs"], payload["action"]) == (pause["id"], {}, None)
