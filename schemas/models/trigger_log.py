"""What became of an event: WorkflowTriggerLog of the seed."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]


class WorkflowTriggerLog(BaseModel):
    """One event on its way to one workflow, as it stands. `task_id` is the seed's `celery_task_id`."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    tenant_id: str
    app_id: str | None
    workflow_id: str | None
    workflow_run_id: str | None
    root_node_id: str | None
    trigger_metadata: Json | None
    trigger_type: str
    trigger_data: Json
    inputs: Json
    outputs: Json | None
    status: str
    """PENDING -> RUNNING -> SUCCESS, FAILED or STOPPED; FAILED -> PENDING for a retry."""
    error: str | None
    """Also why an event started nothing."""
    queue_name: str
    task_id: str | None
    """topic/partition/offset of the event."""
    retry_count: int
    elapsed_time: float | None
    """Seconds."""
    total_tokens: int
    created_by_role: str
    created_by: str | None
    created_at: datetime
    triggered_at: datetime | None
    finished_at: datetime | None
    trigger_id: str | None
    event_id: str | None
    app_trigger_id: str | None
    revision: int

    def to_dict(self) -> Json:
        """The fields of the seed, times in RFC 3339, and those that are Hopline's own behind them.

        The last is `queue_latency`: seconds from the acceptance of the event to the start of its run.
        """
        fields = self.model_dump()
        times = {name: value.isoformat() for name, value in fields.items() if isinstance(value, datetime)}
        waited = (self.triggered_at - self.created_at).total_seconds() if self.triggered_at else None
        return {**fields, **times, "queue_latency": waited}

    @classmethod
    def from_dict(cls, fields: Json) -> Self:
        """The inverse of `to_dict`. Raises `pydantic.ValidationError`."""
        return cls.model_validate({name: value for name, value in fields.items() if name in cls.model_fields})
