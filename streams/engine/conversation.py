"""What a run tells the conversation that it is a turn of."""

from collections.abc import Mapping
from typing import Any

import orjson

from schemas.ids import conversation_key
from streams.engine.effects import ConversationChanged
from streams.engine.pool import CONVERSATION
from streams.engine.records import as_json
from streams.engine.state import RunState


def written(
    state: RunState,
    system: Mapping[str, Any],
    step: int,
    writes: Mapping[tuple[str, str], Any],
    now_us: int,
) -> ConversationChanged | None:
    """The node that was reached in that step has written; None without a conversation, or if none of its
    variables is among them. Raises `TypeError` for what JSON cannot hold."""
    variables = {name: value for (node_id, name), value in writes.items() if node_id == CONVERSATION}
    if not variables:
        return None
    return _changed(state, system, "SET", f"set/{step}", {"step": step, "variables": variables}, now_us)


def over(
    state: RunState, system: Mapping[str, Any], outputs: str | None, now_us: int
) -> ConversationChanged | None:
    """The next turn may begin: the run has ended, with these outputs as JSON or without any, or it waits for
    a person. None without a conversation."""
    answer = orjson.loads(outputs).get("answer") if outputs and system.get("conversation_id") else None
    if not answer:
        return _changed(state, system, "RELEASE", "release", {}, now_us)
    payload = {"query": system.get("query") or "", "answer": answer}
    return _changed(state, system, "TURN", "turn", payload, now_us)


def _changed(
    state: RunState, system: Mapping[str, Any], kind: str, name: str, payload: Mapping[str, Any], now_us: int
) -> ConversationChanged | None:
    conversation_id, turn = system.get("conversation_id"), system.get("dialogue_count")
    if not conversation_id or turn is None or state.single_step:
        return None
    record = {
        "conversation_key": conversation_key(state.tenant_id, state.app_id, conversation_id),
        "command_id": f"{name}/{state.run_id}",
        "kind": kind,
        "conversation_id": conversation_id,
        "tenant_id": state.tenant_id,
        "app_id": state.app_id,
        "workflow_run_id": state.run_id,
        "issued_at": now_us,
        "payload": as_json({"turn": turn, **payload}),
        "start": None,
    }
    return ConversationChanged(record)
