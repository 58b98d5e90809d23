"""RunCommand records become commands."""

from typing import Any

import orjson
import pytest

from streams.engine.commands import Cancel, NodeResult, Resume, Start, Timer, command_of


def record(kind: str, **payload: Any) -> dict[str, Any]:
    return {
        "command_id": "id", "kind": kind, "workflow_run_id": "run", "tenant_id": "t", "app_id": "a",
        "workflow_id": "w", "version": "v", "workflows_offset": 0, "issued_at": 7,
        "trigger_log": {"id": "log"},
        "payload": orjson.dumps(payload).decode(),
    }  # fmt: skip


def test_start() -> None:
    payload = {"inputs": {"x": 1}, "triggered_from": "debugging", "system": {"user_id": "u"}}
    assert command_of(record("START", **payload)) == Start(
        "id", "run", "t", "a", "w", "v", 7, {"x": 1}, "debugging", {"user_id": "u"}, {"id": "log"}
    )
    assert command_of(record("START")) == Start("id", "run", "t", "a", "w", "v", 7, trigger_log={"id": "log"})


def test_node_result() -> None:
    assert command_of(
        record("NODE_RESULT", node_execution_id="e", status="failed", error="x", outputs=None)
    ) == (NodeResult("id", "e", "failed", error="x"))


def test_the_others() -> None:
    assert command_of(record("CANCEL", reason="r")) == Cancel("id", "r")
    assert command_of(record("CANCEL")) == Cancel("id", "cancelled")
    assert command_of(record("TIMER")) == Timer("id")


def test_resume() -> None:
    assert command_of(record("RESUME", interaction_id="i")) == Resume("id", "i")
    payload = {"node_execution_id": "e", "node_id": "n", "inputs": {"x": 1}, "action": "yes", "by": "ada"}
    assert command_of(record("RESUME", interaction_id="i", **payload)) == Resume(
        "id", "i", "e", "n", {"x": 1}, "yes", "ada"
    )


def test_unknown_kinds() -> None:
    with pytest.raises(ValueError, match="LATER"):
        command_of(record("LATER"))
