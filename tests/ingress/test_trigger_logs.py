"""One trigger log, and telling its event again."""

from typing import Any

import orjson

from schemas.ids import new_id
from schemas.models import WorkflowTriggerLog
from tests.ingress.stand_ins import GRAPH, Client, StandIns
from tests.ingress.test_reading_routes import call, client
from tests.sinks import records
from tests.sinks.records import START_US, write_own
from transport.clickhouse import ClickHouse

__all__ = ["client"]

Json = dict[str, Any]


async def published(client: Client, graph: Json = GRAPH) -> str:
    imported = await call(client, "POST", "/workflows/import?app=x&publish=true", 201, json=graph)
    return str(imported["workflow_id"])


async def test_a_log_is_shown_with_how_long_it_waited(client: Client, database: ClickHouse) -> None:
    log = records.trigger_log(triggered_at=START_US + 250_000)
    await write_own(database, "trigger.logs", log)
    shown = await call(client, "GET", f"/trigger-logs/{log['id']}")
    assert shown["queue_latency"] == 0.25
    again = WorkflowTriggerLog.from_dict(shown)
    assert again.to_dict() == shown
    await call(client, "GET", f"/trigger-logs/{new_id()}", 404)


async def test_an_event_is_told_again_with_a_link_to_its_log(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    workflow_id = await published(client)
    log = records.trigger_log(workflow_id=workflow_id, inputs='{"a":1,"b":2}', status="FAILED")
    await write_own(database, "trigger.logs", log)
    started = await call(
        client, "POST", f"/trigger-logs/{log['id']}/reinvoke", 202, json={"inputs": {"b": 3}}
    )
    [event] = stand_ins.sent.events()
    assert (event["trigger_type"], event["replay_of"]) == ("MANUAL", log["id"])
    data = orjson.loads(event["data"])
    assert data["inputs"] == {"a": 1, "b": 3}
    assert data["metadata"]["reinvocation_of"] == log["id"]
    assert started["event_id"] == event["event_id"]
    await call(client, "POST", f"/trigger-logs/{log['id']}/reinvoke", 202)
    assert len({one["trigger_id"] for one in stand_ins.sent.events()}) == 2, "each call is an event"


async def test_it_enters_by_the_node_that_it_entered_by(
    client: Client, database: ClickHouse, stand_ins: StandIns
) -> None:
    workflow_id = await published(client)
    log = records.trigger_log(workflow_id=workflow_id, root_node_id="hook", inputs='{"body":{"n":1}}')
    await write_own(database, "trigger.logs", log)
    await call(client, "POST", f"/trigger-logs/{log['id']}/reinvoke", 202)
    [event] = stand_ins.sent.events()
    assert orjson.loads(event["data"])["metadata"]["root_node_id"] == "hook"


async def test_what_was_for_no_workflow_is_not_told_again(client: Client, database: ClickHouse) -> None:
    log = records.trigger_log(workflow_id=None)
    await write_own(database, "trigger.logs", log)
    problem = await call(client, "POST", f"/trigger-logs/{log['id']}/reinvoke", 409)
    assert "no workflow" in problem["detail"]
