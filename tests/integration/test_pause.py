"""Runs that wait, for a person and for a moment, outlive their worker and go on."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench.fleet import Fleet
from cli.wait import wait_for_run
from tests.graphs import Json, end, field, graph, node, start

pytestmark = pytest.mark.broker

GRAPH = graph(
    [
        start(field("order", required=True)),
        node(
            "review",
            "human-input",
            form_content="Approve order {{#start.order#}}?",
            inputs=[{"output_variable_name": "comment", "type": "paragraph"}],
            user_actions=[{"id": "approve", "title": "Approve"}, {"id": "reject", "title": "Reject"}],
            timeout=1,
            timeout_unit="day",
        ),
        end("approved", order=["start", "order"], comment=["review", "comment"]),
        end("rejected", why=["review", "comment"]),
    ],
    ("start", "review"),
    ("review", "approved", "approve"),
    ("review", "rejected", "reject"),
)

MOMENT = graph(
    [
        start(field("seconds", "number", required=True)),
        node("nap", "wait", duration=["start", "seconds"], reason="until the worker is gone"),
        end("done", early=["nap", "resumed_early"]),
    ],
    ("start", "nap"),
    ("nap", "done"),
)
_NAP_S = 2.5

_PATIENCE_S = 150
"""Far more than it takes, so that only what never happens fails."""


async def _until_paused(fleet: Fleet, run_id: str) -> Json:
    """The run, once it shows what it waits for."""
    while True:
        found = await fleet.deployment.select(f"SELECT status FROM workflow_runs WHERE id = '{run_id}'")
        if found and found[0]["status"] == "PAUSED":
            run: Json = await asyncio.to_thread(fleet.deployment.client.get, "runs", run_id)
            if run["pauses"]:
                return run
        await asyncio.sleep(0.1)


async def _until_answered(fleet: Fleet, run_id: str) -> None:
    """The record of the node may be in the history a moment after that of the run."""
    nodes = "SELECT status FROM workflow_node_executions WHERE node_id = 'review' AND workflow_run_id ="
    while True:
        found = await fleet.deployment.select(f"{nodes} '{run_id}'")
        if found and found[0]["status"] == "succeeded":
            return
        await asyncio.sleep(0.1)


async def test_a_pause_survives_a_worker(tmp_path: Path) -> None:
    async with Fleet(tmp_path / "fleet", workers=1) as fleet, asyncio.timeout(_PATIENCE_S):
        client = fleet.deployment.client

        def begin(app: str, drawn: Json, **inputs: Any) -> str:
            content = orjson.dumps(drawn)
            imported = client.upload("workflows", "import", content=content, app=app, publish="true")
            body = {"inputs": inputs}
            started = client.post("triggers", "workflows", imported["workflow_id"], "manual", body=body)
            return str(started["workflow_run_id"])

        run_id = await asyncio.to_thread(begin, "review", GRAPH, order="A-7")
        nap_id = await asyncio.to_thread(begin, "nap", MOMENT, seconds=_NAP_S)
        paused = await _until_paused(fleet, run_id)
        assert paused["pauses"][0]["pause_metadata"]["message"] == "Approve order A-7?"
        await fleet.workers[0].kill()

        def answer() -> tuple[Any, Any]:
            body = {"inputs": {"comment": "fine"}, "action": "approve", "interaction_id": "click"}
            return tuple(client.post("runs", run_id, "resume", body=body) for _ in range(2))

        first, second = await asyncio.to_thread(answer)
        assert first["pause_id"] == second["pause_id"] == paused["pauses"][0]["id"]
        await fleet.start_worker(fleet.workers[0])
        ended = await asyncio.to_thread(wait_for_run, client, run_id, _PATIENCE_S)
        assert (ended["status"], ended["outputs"]) == ("SUCCEEDED", {"order": "A-7", "comment": "fine"})
        assert ended["pauses"] == []
        napped = await asyncio.to_thread(wait_for_run, client, nap_id, _PATIENCE_S)
        assert (napped["status"], napped["outputs"]) == ("SUCCEEDED", {"early": False})
        assert napped["elapsed_time"] >= _NAP_S
        await _until_answered(fleet, run_id)
        again = await asyncio.to_thread(
            client.post, "runs", run_id, "resume", body={"action": "reject", "interaction_id": "click"}
        )
        assert again["duplicate"]
