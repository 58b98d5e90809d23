"""What has come to a trigger: the test mode of one that starts nothing yet."""

from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp.test_utils import TestClient

from schemas.ids import new_id
from streams.route import Arrival, find_routes, trigger_log
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.ingress.test_reading_routes import Json, call
from tests.sinks import records
from tests.sinks.records import START_US, write_own
from transport.clickhouse import ClickHouse


@pytest.fixture
async def client(stand_ins: StandIns, database: ClickHouse) -> AsyncIterator[Client]:
    """As everywhere in this folder, with a history."""
    async with TestClient(Server(assemble(stand_ins, new_settings(), database))) as client:
        yield client


async def new_trigger(client: Client, workflow_id: str, **more: str) -> Json:
    return await call(client, "POST", "/triggers", 201, json={"workflow_id": workflow_id, **more})


async def routed(stand_ins: StandIns, database: ClickHouse) -> None:
    """What the worker and the sink make of everything that was accepted."""
    for event in stand_ins.sent.events():
        arrival = Arrival(event, orjson.loads(event["data"]), "trigger.events/0/0")
        logs = [trigger_log(arrival, route, START_US)
                for route in find_routes(arrival, stand_ins.configured.definitions)]  # fmt: skip
        await write_own(database, "trigger.logs", *logs)


async def test_requests_to_a_trigger_of_a_draft_or_a_paused_one_are_shown(
    client: Client, stand_ins: StandIns, database: ClickHouse
) -> None:
    draft = await call(client, "POST", "/workflows/import?app=draft", 201, json=GRAPH)
    published = await call(client, "POST", "/workflows/import?app=live&publish=true", 201, json=GRAPH)
    on_draft = await new_trigger(client, draft["workflow_id"])
    paused = await new_trigger(client, published["workflow_id"], status="PAUSED")
    for n, trigger in enumerate((on_draft, on_draft, paused)):
        path = f"/triggers/webhook/{trigger['config']['webhook_id']}?n={n}"
        headers = {"Authorization": "Bearer s3cret", "X-Kept": "yes"}
        async with client.post(path, json={"n": n}, headers=headers) as answer:
            assert answer.status == 202
    await routed(stand_ins, database)

    shown = (await call(client, "GET", f"/triggers/{on_draft['id']}/requests"))["data"]
    assert [row["body"] for row in shown] == [{"n": 1}, {"n": 0}]
    assert {(row["status"], row["workflow_run_id"]) for row in shown} == {("STOPPED", None)}
    assert "no published version" in shown[0]["error"]
    assert (shown[0]["method"], shown[0]["query"]) == ("POST", {"n": "1"})
    assert shown[0]["headers"]["x-kept"] == "yes"
    assert "s3cret" not in str(shown)
    (last,) = (await call(client, "GET", f"/triggers/{paused['id']}/requests?limit=1"))["data"]
    assert (last["body"], last["error"]) == ({"n": 2}, "the trigger is paused")


async def test_only_its_own_and_page_by_page(client: Client, database: ClickHouse) -> None:
    imported = await call(client, "POST", "/workflows/import?app=live&publish=true", 201, json=GRAPH)
    trigger = await new_trigger(client, imported["workflow_id"])
    own = {name: trigger[name] for name in ("app_id", "workflow_id")}
    rows = [
        records.trigger_log(
            **own, app_trigger_id=one, event_id=new_id(), trigger_id="e", created_at=START_US + n
        )
        for n, one in enumerate((trigger["id"], "another", trigger["id"]))
    ]
    await write_own(database, "trigger.logs", *rows)
    path = f"/triggers/{trigger['id']}/requests?limit=1"
    first = await call(client, "GET", path)
    assert [row["event_id"] for row in first["data"]] == [rows[2]["event_id"]]
    second = await call(client, "GET", f"{path}&cursor={first['next_cursor']}")
    assert [row["event_id"] for row in second["data"]] == [rows[0]["event_id"]]
    assert second["next_cursor"] is None


async def test_a_trigger_that_there_is_not(client: Client) -> None:
    async with client.get("/api/v1/triggers/nothing/requests", headers=AUTHORIZED) as answer:
        assert answer.status == 404
