"""What the run history answers with, for the OpenAPI document; `ingress.history` reads the rows."""

from datetime import datetime
from typing import Any

from ingress.wire import Answer
from schemas.models import WorkflowTriggerLog


class RunView(Answer):
    """A run in a list."""

    id: str
    tenant_id: str
    app_id: str | None
    workflow_id: str
    type: str
    triggered_from: str
    version: str
    """The workflow version that the run is pinned to."""
    graph_hash: str
    inputs: dict[str, Any]
    status: str
    """RUNNING, SUCCEEDED, FAILED, STOPPED, PARTIAL_SUCCEEDED or PAUSED."""
    outputs: dict[str, Any] | None
    error: str | None
    elapsed_time: float
    """Seconds."""
    total_tokens: int
    total_steps: int
    exceptions_count: int
    created_by_role: str
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None
    trigger_log_id: str | None
    revision: int


class PauseView(Answer):
    """What a run waits for, by the names of Dify's WorkflowPause."""

    id: str
    tenant_id: str
    app_id: str | None
    workflow_id: str
    workflow_run_id: str | None
    pause_expires_at: int
    """Unix seconds."""
    pause_metadata: dict[str, Any]
    """type, node_id, node_title, message; timeout_seconds, inputs_schema and actions of who is asked,
    resume_at (unix seconds) and reason of a scheduling pause."""
    interaction_id: str | None
    """Of the answer; None while there is none."""
    created_at: datetime


class RunDetail(RunView):
    """One run."""

    graph: dict[str, Any] | None
    """The snapshot that it runs on."""
    pauses: list[PauseView]
    """What it waits for."""


class RunPage(Answer):
    """The newest first."""

    data: list[RunView]
    next_cursor: str | None
    """Asks for those after these; None when there are no more."""


class NodeExecutionView(Answer):
    """One attempt at one node."""

    id: str
    triggered_from: str
    """workflow-run, or single-step."""
    workflow_run_id: str | None
    """None for a single step."""
    index: int
    predecessor_node_id: str | None
    node_execution_id: str
    node_id: str
    node_type: str
    title: str
    inputs: dict[str, Any] | None
    process_data: dict[str, Any] | None
    outputs: dict[str, Any] | None
    status: str
    """running, succeeded, failed, exception, retry, paused or stopped."""
    error: str | None
    elapsed_time: float
    execution_metadata: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    revision: int


class NodeExecutionList(Answer):
    """In the order of execution."""

    data: list[NodeExecutionView]


class TriggerLogDetail(WorkflowTriggerLog):
    """One trigger log, put together again where parts of it are in the object storage."""

    queue_latency: float | None
    """Seconds from the acceptance of the event to the start of its run."""


class TriggerLogPage(Answer):
    """The newest first."""

    data: list[WorkflowTriggerLog]
    next_cursor: str | None


class LetterView(Answer):
    """A dead letter in a list."""

    id: str
    topic: str
    partition: int
    offset: int
    stage: str
    reason: str
    attempts: int
    status: str
    """PENDING, or REPLAYED once it was sent again."""
    tenant_id: str | None
    trace_id: str | None
    """The trace that the record belongs to, where that is known: 32 hexadecimal digits."""
    created_at: datetime
    revision: int


class LetterDetail(LetterView):
    """One dead letter with what it holds."""

    key: str | None
    """As text; bytes that are none are replaced."""
    value: str | None
    """The original bytes in base64."""
    headers: dict[str, str]
    stack: str
    record: dict[str, Any] | None
    """The value decoded, where it can be."""


class LetterPage(Answer):
    """The newest first."""

    data: list[LetterView]
    next_cursor: str | None
