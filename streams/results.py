"""What an executor tells a run of a node: the payload of a NODE_RESULT. See `streams.engine.commands`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from schemas.codec import Record
from schemas.ids import now_us
from streams.executors.errors import NodeExecutorError
from streams.executors.outcome import Outcome, failure
from transport.masking import secrets_in
from transport.telemetry.work import CALLS

_ERROR_CHARS = 32 * 1024
"""An error message may quote what it is about, however large that is."""


def payload_of(task: Record, outcome: Outcome, outputs: Any, started_at: int) -> str:
    """`outputs` stands for those of the outcome: as they travel."""
    payload = {
        "node_execution_id": task["node_execution_id"],
        "status": outcome.status,
        "outputs": outputs,
        "process_data": outcome.process_data,
        "error": outcome.error and outcome.error[:_ERROR_CHARS],
        "error_type": outcome.error_type,
        "edge_source_handle": outcome.edge_source_handle,
        "execution_metadata": outcome.execution_metadata,
        "writes": outcome.writes,
        "started_at": started_at,
        "finished_at": now_us(),
    }
    if outcome.status_code is not None:
        payload["status_code"] = outcome.status_code
    if outcome.retry_after_s is not None:
        payload["retry_after_s"] = outcome.retry_after_s
    return orjson.dumps(payload).decode()


def failed(
    task: Record,
    error: Exception,
    started_at: int,
    secrets: Mapping[str, str],
    calls: list[dict[str, Any]],
) -> str:
    """Of a node that has not come to an outcome. What is no `NodeExecutorError` is a fault of this worker.
    `calls`: what it had asked of others until then."""
    if isinstance(error, NodeExecutorError):
        outcome = failure(error)
    else:
        outcome = Outcome("failed", error=f"{type(error).__name__}: {error}", error_type="ExecutorError")
    return payload_of(task, masked(noting(outcome, calls), secrets), {}, started_at)


def noting(outcome: Outcome, calls: list[dict[str, Any]]) -> Outcome:
    """With what the node has asked of others; see `transport.telemetry.work.Call.ended`."""
    if not calls:
        return outcome
    return replace(outcome, execution_metadata={**outcome.execution_metadata, CALLS: calls})


def masked(outcome: Outcome, secrets: Mapping[str, str]) -> Outcome:
    """Without the secrets that the node has used."""
    return outcome.without(secrets_in(secrets.values())) if secrets else outcome
