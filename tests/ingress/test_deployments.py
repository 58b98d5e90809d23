"""From the trigger nodes of a workflow to triggers that look at events, and back."""

from typing import Any

import pytest

from ingress.errors import Conflict
from schemas.codec import SingleObjectCodec
from schemas.models import DeploymentStatus
from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns
from transport.definitions import TRIGGERS

Json = dict[str, Any]


def graph(*roots: Json) -> Json:
    nodes = [{"id": f"root{n}", "data": {"title": f"Root {n}", **data}} for n, data in enumerate(roots)]
    end = {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}}
    edges = [
        {"id": f"e{n}", "source": f"root{n}", "target": "end", "sourceHandle": "source"}
        for n in range(len(roots))
    ]
    return {"nodes": [*nodes, end], "edges": edges}


CRON = {
    "type": "trigger-schedule",
    "mode": "cron",
    "cron_expression": "0 9 * * *",
    "timezone": "Europe/Berlin",
}


async def call(client: Client, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
    async with client.request(method, path, json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def publish(client: Client, *roots: Json) -> str:
    path = "/api/v1/workflows/import?app=clock&publish=true"
    status, imported = await call(client, "POST", path, graph(*roots))
    assert status in (200, 201), imported
    return str(imported["workflow_id"])


def told(stand_ins: StandIns) -> list[str]:
    sends = [s for s in stand_ins.sent.sends if s.topic == "schedule.commands"]
    return [SingleObjectCodec().decode("ScheduleCommand", s.value)["kind"] for s in sends]


async def test_trigger_nodes_become_triggers(client: Client, stand_ins: StandIns) -> None:
    workflow_id = await publish(client, CRON, {**CRON, "cron_expression": "@hourly"})
    path = f"/api/v1/deployment/workflows/{workflow_id}"
    assert (await call(client, "GET", f"{path}/status"))[1]["deployment_status"] == "UNDEPLOYED"
    status, shown = await call(client, "POST", f"{path}/deploy")
    assert (status, shown["deployment_status"]) == (200, "DEPLOYED")
    assert [(one["type"], one["node_id"]) for one in shown["triggers"]] == [
        ("SCHEDULE", "root0"),
        ("SCHEDULE", "root1"),
    ]
    [record] = shown["history"]
    assert (record["action"], record["deployment_status"]) == ("deploy", "DEPLOYED")
    assert record["triggers"] == [one["id"] for one in shown["triggers"]]
    assert told(stand_ins) == ["SET", "SET"]


async def test_deployed_again_ids_stay_and_what_is_gone_goes(client: Client, stand_ins: StandIns) -> None:
    workflow_id = await publish(client, CRON, CRON)
    path = f"/api/v1/deployment/workflows/{workflow_id}"
    _, first = await call(client, "POST", f"{path}/deploy")
    await publish(client, {**CRON, "timezone": "UTC"})
    _, second = await call(client, "POST", f"{path}/deploy")
    assert [one["id"] for one in second["triggers"]] == [first["triggers"][0]["id"]]
    assert stand_ins.configured.definitions.triggers[first["triggers"][0]["id"]].config["timezone"] == "UTC"
    assert told(stand_ins)[-2:] == ["SET", "REMOVE"]
    assert second["version"] > first["version"]


async def test_undeployed_triggers_look_at_nothing_and_come_back(client: Client, stand_ins: StandIns) -> None:
    workflow_id = await publish(client, CRON)
    wanted = {"workflow_id": workflow_id, "config": {"webhook_id": "w" * 16}}
    assert (await call(client, "POST", "/api/v1/triggers", wanted))[0] == 201
    path = f"/api/v1/deployment/workflows/{workflow_id}"
    await call(client, "POST", f"{path}/deploy")
    _, shown = await call(client, "POST", f"{path}/undeploy")
    assert shown["deployment_status"] == "UNDEPLOYED"
    assert {one["deployment_status"] for one in shown["triggers"]} == {"UNDEPLOYED"}
    assert told(stand_ins)[-1] == "REMOVE"
    hook = "/triggers/webhook/" + "w" * 16
    assert (await call(client, "POST", hook, {}))[0] == 404
    _, shown = await call(client, "POST", f"{path}/deploy")
    assert {one["deployment_status"] for one in shown["triggers"]} == {"DEPLOYED"}
    assert (await call(client, "POST", hook, {}))[0] == 202
    assert [one["action"] for one in shown["history"]] == ["deploy", "undeploy", "deploy"]


async def test_a_schedule_that_is_undeployed_is_not_wound_up_by_a_change(
    client: Client, stand_ins: StandIns
) -> None:
    workflow_id = await publish(client, CRON)
    path = f"/api/v1/deployment/workflows/{workflow_id}"
    _, shown = await call(client, "POST", f"{path}/deploy")
    schedule = f"/api/v1/triggers/{shown['triggers'][0]['id']}"
    await call(client, "POST", f"{path}/undeploy")
    for change in (("PATCH", "", {"name": "other"}), ("POST", "/pause", None), ("POST", "/resume", None)):
        assert (await call(client, change[0], schedule + change[1], change[2]))[0] == 200
    assert set(told(stand_ins)[1:]) == {"REMOVE"}
    span = {"start": "2026-01-01T00:00Z", "end": "2026-01-02T00:00Z"}
    status, problem = await call(client, "POST", f"{schedule}/backfill", span)
    assert (status, "not deployed" in problem["detail"]) == (409, True)
    await call(client, "POST", f"{path}/deploy")
    assert told(stand_ins)[-1] == "SET"
    assert (await call(client, "POST", f"{schedule}/backfill", span))[0] == 202


async def test_a_node_that_cannot_be_a_trigger_fails_the_deployment_whole(
    client: Client, stand_ins: StandIns
) -> None:
    workflow_id = await publish(client, CRON, {**CRON, "cron_expression": "often"})
    path = f"/api/v1/deployment/workflows/{workflow_id}"
    status, problem = await call(client, "POST", f"{path}/deploy")
    assert status == 422
    [row] = problem["errors"]
    assert (row["node"], row["field"]) == ("root1", "config.cron")
    assert stand_ins.configured.definitions.triggers == {}
    _, shown = await call(client, "GET", f"{path}/status")
    assert shown["deployment_status"] == DeploymentStatus.DEPLOYMENT_FAILED
    assert shown["history"][0]["errors"] == problem["errors"]
    await publish(client, CRON)
    assert (await call(client, "POST", f"{path}/deploy"))[1]["deployment_status"] == "DEPLOYED"


async def test_what_is_not_published_is_not_deployed(client: Client) -> None:
    _, imported = await call(client, "POST", "/api/v1/workflows/import?app=draft", graph(CRON))
    path = f"/api/v1/deployment/workflows/{imported['workflow_id']}/deploy"
    status, problem = await call(client, "POST", path)
    assert (status, "publish it first" in problem["detail"]) == (409, True)
    assert (await call(client, "POST", path, {"version": "none"}))[0] == 404


@pytest.mark.parametrize(
    ("data", "cron"),
    [
        ({"frequency": "hourly", "visual_config": {"on_minute": 15}}, "15 * * * *"),
        ({"frequency": "daily", "visual_config": {"time": "2:30 PM"}}, "30 14 * * *"),
        ({"frequency": "weekly", "visual_config": {"weekdays": ["mon", "fri"]}}, "0 0 * * mon,fri"),
        ({"frequency": "monthly", "visual_config": {"time": "9:00 AM", "monthly_days": [1, "last"]}},
         "0 9 1,L * *"),
    ],
)  # fmt: skip
async def test_difys_visual_mode(client: Client, stand_ins: StandIns, data: Json, cron: str) -> None:
    workflow_id = await publish(client, {"type": "trigger-schedule", "mode": "visual", **data})
    status, shown = await call(client, "POST", f"/api/v1/deployment/workflows/{workflow_id}/deploy")
    assert status == 200, shown
    assert stand_ins.configured.definitions.triggers[shown["triggers"][0]["id"]].config["cron"] == cron


async def test_an_address_that_is_lost_at_the_last_moment_takes_all_back(
    client: Client, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = {"type": "trigger-webhook", "method": "post"}
    workflow_id = await publish(client, CRON, hook)
    path = f"/api/v1/deployment/workflows/{workflow_id}"

    async def lost(request: Any, trigger: Any, before: Any) -> None:
        if trigger.type == "WEBHOOK":
            raise Conflict("the address x is taken")
        await stand_ins.configured.put(TRIGGERS, trigger)

    monkeypatch.setattr("ingress.deployments.put_claiming", lost)
    status, problem = await call(client, "POST", f"{path}/deploy")
    assert (status, problem["detail"]) == (409, "the address x is taken")
    assert stand_ins.configured.definitions.triggers == {}
    assert told(stand_ins) == []
    assert (await call(client, "GET", f"{path}/status"))[1]["deployment_status"] == "DEPLOYMENT_FAILED"
