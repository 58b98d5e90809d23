"""Asking for one node of the draft."""

from typing import Any

import orjson

from schemas.codec import SingleObjectCodec
from schemas.ids import node_execution_id
from tests.ingress.stand_ins import AUTHORIZED, Client, StandIns


async def run(client: Client, workflow_id: str, node: str, status: int, inputs: Any) -> Any:
    path = f"/api/v1/workflows/{workflow_id}/draft/nodes/{node}/run"
    async with client.post(path, json={"inputs": inputs}, headers=AUTHORIZED) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def test_the_engine_is_told_what_is_in_the_pool(
    client: Client, workflow_id: str, stand_ins: StandIns
) -> None:
    given = {"q": 1, "start.name": "Ada", "#llm.text#": "x", "sys.query": "hm"}
    started = await run(client, workflow_id, "end", 202, given)
    [sent] = [s for s in stand_ins.sent.sends if s.topic == "run.commands"]
    command = SingleObjectCodec().decode("RunCommand", sent.value or b"")
    assert started == {"node_execution_id": node_execution_id(command["workflow_run_id"], "end")}
    assert (command["kind"], command["version"]) == ("START", "draft")
    assert orjson.loads(command["payload"]) == {
        "inputs": {"q": 1},
        "values": {"start": {"name": "Ada"}, "llm": {"text": "x"}, "sys": {"query": "hm"}},
        "single_step": "end",
        "triggered_from": "debugging",
        "system": {"user_id": "bootstrap"},
    }


async def test_what_is_not_there_is_named(client: Client, workflow_id: str) -> None:
    refused = await run(client, workflow_id, "nobody", 404, {})
    assert "has no node 'nobody'" in refused["detail"]
    refused = await run(client, workflow_id, "end", 422, {"a.b.c": 1})
    assert refused["errors"][0]["field"] == "inputs.a.b.c"
