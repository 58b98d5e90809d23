"""The records of a run, built in one place so that each has all fields of its Avro schema."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from schemas.models import WorkflowType
from schemas.traces import child, root
from streams.engine.commands import NodeResult
from streams.engine.definition import Definition, NodePlan
from streams.engine.effects import Record
from streams.engine.state import (
    FAILED,
    PARTIAL_SUCCEEDED,
    PAUSED,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    RunState,
    Waiting,
)

LOG_STATUS = {
    RUNNING: "RUNNING",
    PAUSED: "RUNNING",
    SUCCEEDED: "SUCCESS",
    PARTIAL_SUCCEEDED: "SUCCESS",
    FAILED: "FAILED",
    STOPPED: "STOPPED",
}
"""Status of a run -> status of its trigger log."""

US = 1_000_000

UNFIT_VALUES = (TypeError, ValueError, RecursionError)
"""Raised by values that are no JSON, or nested too deep for it: lone surrogates, hundreds of levels."""


def as_json(value: Any) -> str:
    """Compact JSON. Raises `TypeError` for what JSON cannot hold, lone surrogates included."""
    return orjson.dumps(value).decode()


def trace_of(state: RunState) -> str:
    """`traceparent` of the run, which has not ended: what its span is under."""
    if log := state.trigger_log:
        return child(log.get("traceparent") or root(log.get("event_id") or log["id"]), log["id"])
    caller = state.caller
    return (caller and caller.get("traceparent")) or root(state.run_id)


def execution_base(state: RunState, workflow_type: str, trace: str) -> Record:
    """What all node executions of a run have in common. `trace`: see `trace_of`."""
    of_run = "rag-pipeline-run" if workflow_type == WorkflowType.RAG_PIPELINE else "workflow-run"
    return {
        "tenant_id": state.tenant_id,
        "app_id": state.app_id,
        "workflow_id": state.workflow_id,
        "triggered_from": "single-step" if state.single_step else of_run,
        "workflow_run_id": None if state.single_step else state.run_id,
        "created_by_role": state.created_by_role,
        "created_by": state.created_by,
        "event_at": state.event_at,
        # A single step has no run that would be recorded.
        "traceparent": trace if state.single_step else child(trace, state.run_id),
    }


def execution_record(
    base: Record, plan: NodePlan | None, execution_id: str, waiting: Waiting, container: str | None
) -> Record:
    """A node as it starts; `plan` is None for one that the graph no longer has. `container`: the execution
    whose round it is in, if it is in one."""
    record = {
        **base,
        "id": execution_id,
        "revision": waiting.revision,
        "index": waiting.step,
        "predecessor_node_id": waiting.predecessor,
        "node_execution_id": execution_id,
        "node_id": waiting.node_id,
        "node_type": plan.type if plan else "unknown",
        "title": plan.title if plan else "",
        "inputs": waiting.inputs,
        "process_data": None,
        "outputs": None,
        "status": "running",
        "error": None,
        "elapsed_time": 0.0,
        "execution_metadata": None,
        "created_at": waiting.created_at,
        "finished_at": None,
    }
    if container is not None:
        record["traceparent"] = span_around(base, container)
    return record


def span_around(base: Record, container: str | None) -> str:
    """`traceparent` of a node execution: what its span is under."""
    trace: str = base["traceparent"]
    return trace if container is None else child(trace, container)


def is_told_at_its_end(state: RunState, plan: NodePlan | None) -> bool:
    """Whether the only record of the node is that of its end, although it is with an executor."""
    return plan is not None and plan.pure is not None and state.tells_ends_only


def ended_execution(record: Record, result: NodeResult, waiting: Waiting, now_us: int) -> None:
    """Adds what an executor says about its work. Its clock may differ from ours: no time runs backwards."""
    finished_at = max(result.finished_at or now_us, waiting.created_at)
    started_at = min(result.started_at or waiting.created_at, finished_at)
    record["elapsed_time"] = (finished_at - started_at) / US
    record["finished_at"] = finished_at
    record["process_data"] = as_json(result.process_data) if result.process_data else None


def add_metadata(record: Record, *metadata: Mapping[str, Any]) -> None:
    """Puts together what is to be said about the execution; null where there is nothing."""
    merged = {key: value for part in metadata for key, value in part.items()}
    record["execution_metadata"] = as_json(merged) if merged else None


def run_record(
    state: RunState, definition: Definition, outputs: str | None, now_us: int, trace: str
) -> Record:
    """The run as it is now. `trace`: see `trace_of`."""
    ended, log = state.ended, state.trigger_log
    return {
        "id": state.run_id,
        "revision": state.revision,
        "tenant_id": state.tenant_id,
        "app_id": state.app_id,
        "workflow_id": state.workflow_id,
        "type": definition.workflow_type,
        "triggered_from": state.triggered_from,
        "version": state.version,
        "graph_hash": state.graph_hash,
        "inputs": state.inputs,
        "status": state.status,
        "outputs": outputs,
        "error": state.error,
        "elapsed_time": (now_us - state.started_at) / US if ended else 0.0,
        "total_tokens": state.tokens,
        "total_steps": state.steps,
        "exceptions_count": state.exceptions,
        "created_by_role": state.created_by_role,
        "created_by": state.created_by,
        "created_at": state.started_at,
        "finished_at": now_us if ended else None,
        "trigger_log_id": log["id"] if log else None,
        "event_at": state.event_at,
        "traceparent": trace,
        # Whoever knows the draft adds it.
        "graph": None,
    }


def log_record(log: Mapping[str, Any], state: RunState, outputs: str | None, now_us: int) -> Record:
    """The trigger log, one revision on."""
    ended = state.ended
    return {
        **log,
        "revision": log["revision"] + 1,
        "status": LOG_STATUS[state.status],
        "outputs": outputs,
        "error": state.error,
        "elapsed_time": (now_us - log["created_at"]) / US if ended else None,
        "total_tokens": state.tokens,
        "triggered_at": state.started_at,
        "finished_at": now_us if ended else None,
    }


def cancellation_record(state: RunState, execution_ids: Sequence[str], now_us: int) -> Record:
    """What executors are told of tasks that nobody waits for any more."""
    return {
        "workflow_run_id": state.run_id,
        "tenant_id": state.tenant_id,
        "node_execution_ids": list(execution_ids),
        "issued_at": now_us,
    }


def task_record(state: RunState, plan: NodePlan, execution_id: str, waiting: Waiting, config: Any) -> Record:
    """What the executor gets; its deadline is added by the caller."""
    return {
        "node_execution_id": execution_id,
        "workflow_run_id": state.run_id,
        "tenant_id": state.tenant_id,
        "app_id": state.app_id,
        "workflow_id": state.workflow_id,
        "version": state.version,
        "node_id": plan.id,
        "node_type": plan.type,
        "attempt": waiting.attempt,
        "config": as_json(config),
        "inputs": waiting.inputs,
        "issued_at": waiting.created_at,
        "call_depth": (state.caller or {}).get("depth", 0),
    }
