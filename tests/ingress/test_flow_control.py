"""How events get to a workflow, set and shown; and the word that resumes it."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.codec import SingleObjectCodec
from schemas.models import utc_now
from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns
from transport.definitions import FLOW_CONTROLS

Json = dict[str, Any]


async def call(client: Client, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
    async with client.request(method, path, json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def test_nothing_limits_until_it_is_said(client: Client, workflow_id: str) -> None:
    status, shown = await call(client, "GET", f"/api/v1/workflows/{workflow_id}/flow-control")
    assert status == 200
    assert (shown["paused"], shown["updated_at"]) == ("", None)
    assert [shown[name] for name in ("rate_limit", "debounce", "batch", "throttle")] == [None] * 4


async def test_limits_are_replaced_whole(client: Client, workflow_id: str) -> None:
    path = f"/api/v1/workflows/{workflow_id}/flow-control"
    limit = {"limit": 3, "period_s": 60, "key": "event.body.customer"}
    await call(client, "PUT", path, {"rate_limit": limit})
    status, shown = await call(client, "PUT", path, {"throttle": {"limit": 1, "period_s": 2}})
    assert status == 200
    assert shown["rate_limit"] is None
    assert shown["throttle"] == {"key": "", "limit": 1, "period_s": 2, "burst": 1, "max_wait_s": 86_400}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"rate_limit": {"limit": 0, "period_s": 1}}, "rate_limit.limit"),
        ({"rate_limit": {"limit": 1, "period_s": 1, "key": "event."}}, "rate_limit.key"),
        ({"debounce": {"period_s": 1, "mode": "middle"}}, "debounce.mode"),
        ({"batch": {"max_size": 1, "timeout_s": 1}}, "batch.max_size"),
        ({"limits": {}}, "limits"),
    ],
)
async def test_what_cannot_be_is_refused(client: Client, workflow_id: str, wanted: Json, field: str) -> None:
    status, problem = await call(client, "PUT", f"/api/v1/workflows/{workflow_id}/flow-control", wanted)
    assert status == 422
    assert [row["field"] for row in problem["errors"]] == [field]


async def test_a_pause_stays_when_limits_change_and_ends_with_a_word_to_the_gate(
    client: Client, stand_ins: StandIns, workflow_id: str
) -> None:
    path = f"/api/v1/workflows/{workflow_id}"
    assert (await call(client, "POST", f"{path}/pause"))[1]["paused"] == "hold"
    _, shown = await call(client, "PUT", f"{path}/flow-control", {})
    assert shown["paused"] == "hold"
    assert (await call(client, "POST", f"{path}/pause", {"events": "ignore"}))[1]["paused"] == "ignore"
    assert stand_ins.sent.sends == []
    paused_at = stand_ins.configured.definitions.flow_controls[workflow_id].updated_at
    assert (await call(client, "POST", f"{path}/resume"))[1]["paused"] == ""
    [told] = [s for s in stand_ins.sent.sends if s.topic == "gate.commands"]
    command = SingleObjectCodec().decode("GateCommand", told.value)
    assert (command["kind"], command["gate_key"]) == ("RESUME", f"{workflow_id}:hold:")
    assert command["issued_at"] > paused_at.timestamp() * 1e6


async def test_what_an_ingress_with_a_fast_clock_has_paused_goes_on(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    path = f"/api/v1/workflows/{workflow_id}"
    await call(client, "POST", f"{path}/pause")
    control = stand_ins.configured.definitions.flow_controls[workflow_id]
    ahead = control.model_copy(update={"updated_at": utc_now() + timedelta(seconds=5)})
    await stand_ins.configured.put(FLOW_CONTROLS, ahead)
    await call(client, "POST", f"{path}/resume")
    [told] = [s for s in stand_ins.sent.sends if s.topic == "gate.commands"]
    resumed_at = SingleObjectCodec().decode("GateCommand", told.value)["issued_at"]
    assert resumed_at > ahead.updated_at.timestamp() * 1e6
    await call(client, "POST", f"{path}/pause")
    again = stand_ins.configured.definitions.flow_controls[workflow_id]
    assert again.updated_at.timestamp() * 1e6 > resumed_at


async def test_another_tenants_workflow_is_not_there(client: Client) -> None:
    assert (await call(client, "GET", "/api/v1/workflows/other/flow-control"))[0] == 404
    assert (await call(client, "POST", "/api/v1/workflows/other/pause"))[0] == 404
