"""What has run: runs and node executions, as ClickHouse and the API show them. Named as in Dify."""

from datetime import datetime
from typing import Any, Self

import orjson
from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


class _Executed(BaseModel):
    """JSON stays the text that was recorded until somebody asks for it."""

    model_config = ConfigDict(frozen=True)

    id: str
    tenant_id: str
    app_id: str | None
    workflow_id: str
    triggered_from: str
    inputs: str | None
    status: str
    outputs: str | None
    error: str | None
    elapsed_time: float
    """Seconds."""
    created_by_role: str
    """account or end_user."""
    created_by: str | None
    created_at: datetime
    finished_at: datetime | None
    event_at: datetime
    """When the event was accepted that all this began with."""
    revision: int

    @property
    def inputs_dict(self) -> Json:
        """Name -> value."""
        return _object(self.inputs) or {}

    @property
    def outputs_dict(self) -> Json:
        """Likewise."""
        return _object(self.outputs) or {}

    def to_dict(self) -> Json:
        """The fields, those that are JSON as values."""
        fields = self.model_dump()
        return {name: _object(value) if name in _JSON else value for name, value in fields.items()}

    @classmethod
    def from_dict(cls, fields: Json) -> Self:
        """The inverse of `to_dict`. Raises `pydantic.ValidationError`."""
        return cls.model_validate({n: _text(value) if n in _JSON else value for n, value in fields.items()})


class WorkflowRun(_Executed):
    """One run, with the graph that it runs on. `triggered_from` is debugging or app-run."""

    type: str
    """workflow, chat or rag-pipeline."""
    version: str
    graph: str | None
    """The snapshot; None where its definition has not reached the history yet."""
    graph_hash: str
    total_tokens: int
    total_steps: int
    exceptions_count: int
    trigger_log_id: str | None

    @property
    def graph_dict(self) -> Json:
        """Nodes and edges."""
        return _object(self.graph) or {}


class WorkflowNodeExecution(_Executed):
    """One attempt at one node. `triggered_from` is single-step, workflow-run or rag-pipeline-run."""

    workflow_run_id: str | None
    """None for a single step."""
    index: int
    """Position in the order of execution, from 1."""
    predecessor_node_id: str | None
    node_execution_id: str
    node_id: str
    node_type: str
    title: str
    process_data: str | None
    execution_metadata: str | None

    @property
    def process_data_dict(self) -> Json:
        """What the node did on the way, for the reader of the run."""
        return _object(self.process_data) or {}

    @property
    def execution_metadata_dict(self) -> Json:
        """Tokens, price, currency, latency."""
        return _object(self.execution_metadata) or {}


_JSON = frozenset({"graph", "inputs", "outputs", "process_data", "execution_metadata"})


def _object(text: str | None) -> Json | None:
    if not text:
        return None
    value: Json = orjson.loads(text)
    return value


def _text(value: Json | None) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
