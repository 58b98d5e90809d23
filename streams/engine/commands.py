"""What a run is told. Fields as in RunCommand.avsc, `payload` included."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from schemas.resumption import KeptNode, Resumption

NOT_GIVEN: Mapping[str, Any] = {}
_NO_WRITES: Mapping[tuple[str, str], Any] = {}


class Start(NamedTuple):
    """Begin the run."""

    command_id: str
    run_id: str
    tenant_id: str
    app_id: str
    workflow_id: str
    version: str
    issued_at: int
    inputs: Mapping[str, Any] = NOT_GIVEN
    triggered_from: str = "app-run"
    system: Mapping[str, Any] = NOT_GIVEN
    """Further system variables: user_id; query, files, conversation_id, dialogue_count of a chat."""
    trigger_log: Mapping[str, Any] | None = None
    """The WorkflowTriggerLog as the router left it, for the engine to continue."""
    single_step: str = ""
    """The node to run alone, as in the debugger; empty for a run."""
    caller: Mapping[str, Any] | None = None
    """Of a workflow that is called as a tool: which node execution waits for its end. See `streams.calls`."""
    values: Mapping[str, Mapping[str, Any]] = NOT_GIVEN
    """What it finds in the variable pool: node id -> variable -> value."""
    resumption: Resumption | None = None
    """Of a run that goes on where another one has failed."""
    kept: Mapping[str, KeptNode] = NOT_GIVEN
    """What `resumption` leads to: by node id what is not executed again."""
    refused: str = ""
    """Why the run fails before its first node; empty for one that may begin."""


class NodeResult(NamedTuple):
    """An executor is done with a node."""

    command_id: str
    node_execution_id: str
    status: str
    """succeeded or failed."""
    outputs: Mapping[str, Any] = NOT_GIVEN
    process_data: Mapping[str, Any] = NOT_GIVEN
    error: str | None = None
    error_type: str | None = None
    edge_source_handle: str | None = None
    started_at: int | None = None
    finished_at: int | None = None
    execution_metadata: Mapping[str, Any] = NOT_GIVEN
    writes: Mapping[tuple[str, str], Any] = _NO_WRITES
    """As in `streams.engine.nodes.protocol.Outcome`, where pure nodes go to executors, too."""
    status_code: int | None = None
    """Of the answer that was the failure, over HTTP."""
    retry_after_s: float | None = None
    """How long the peer wants to be left alone, if it says so."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the run as STOPPED."""

    command_id: str
    reason: str = "cancelled"


@dataclass(frozen=True, slots=True)
class Resume:
    """Answer a pause."""

    command_id: str
    interaction_id: str
    """Of two commands with the same one the first counts."""
    node_execution_id: str | None = None
    """Which pause; with `node_id` and this None the only one that there is."""
    node_id: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """The form, filled in."""
    action: str | None = None
    """Id of the action; None for the only one."""
    by: str | None = None
    """Who answers."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Look whether an attempt is to begin, or the run has had its time. Does nothing before that."""

    command_id: str


Command = Start | NodeResult | Cancel | Resume | Timer


def command_of(record: Mapping[str, Any]) -> Command:
    """The command in a decoded RunCommand record. Raises `ValueError` for a kind that is not known here."""
    payload = orjson.loads(record["payload"])
    command_id = record["command_id"]
    match record["kind"]:
        case "START":
            return _start(record, payload)
        case "NODE_RESULT":
            return _node_result(command_id, payload)
        case "CANCEL":
            return Cancel(command_id, payload.get("reason") or "cancelled")
        case "RESUME":
            return _resume(command_id, payload)
        case "TIMER":
            return Timer(command_id)
        case kind:
            raise ValueError(f"unknown kind of command {kind}")


def _start(record: Mapping[str, Any], payload: Mapping[str, Any]) -> Start:
    return Start(
        command_id=record["command_id"],
        run_id=record["workflow_run_id"],
        tenant_id=record["tenant_id"],
        app_id=record["app_id"],
        workflow_id=record["workflow_id"],
        version=record["version"],
        issued_at=record["issued_at"],
        inputs=payload.get("inputs") or {},
        triggered_from=payload.get("triggered_from") or "app-run",
        system=payload.get("system") or {},
        trigger_log=record.get("trigger_log"),
        single_step=payload.get("single_step") or "",
        caller=payload.get("caller"),
        values=payload.get("values") or {},
        resumption=payload.get("resumption"),
        refused=payload.get("refused") or "",
    )


def _resume(command_id: str, payload: Mapping[str, Any]) -> Resume:
    return Resume(
        command_id=command_id,
        interaction_id=payload["interaction_id"],
        node_execution_id=payload.get("node_execution_id"),
        node_id=payload.get("node_id"),
        inputs=payload.get("inputs") or {},
        action=payload.get("action"),
        by=payload.get("by"),
    )


def _node_result(command_id: str, payload: Mapping[str, Any]) -> NodeResult:
    return NodeResult(
        command_id=command_id,
        node_execution_id=payload["node_execution_id"],
        status=payload["status"],
        outputs=payload.get("outputs") or {},
        process_data=payload.get("process_data") or {},
        error=payload.get("error"),
        error_type=payload.get("error_type"),
        status_code=payload.get("status_code"),
        retry_after_s=payload.get("retry_after_s"),
        edge_source_handle=payload.get("edge_source_handle"),
        started_at=payload.get("started_at"),
        finished_at=payload.get("finished_at"),
        execution_metadata=payload.get("execution_metadata") or {},
        writes={(node_id, name): value for node_id, name, value in payload.get("writes") or ()},
    )
