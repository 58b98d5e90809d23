"""Runs that wait: WorkflowPause of the seed, read from the node execution that waits."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from schemas.models.run import WorkflowNodeExecution
from schemas.pauses import PAUSE


class WorkflowPause(BaseModel):
    """What a run waits for. Its state is kept by the engine, so there is no `event_data`."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The node execution that waits."""
    tenant_id: str
    app_id: str | None
    workflow_id: str
    workflow_run_id: str | None
    """Of a node that was run alone: what its commands are keyed by."""
    pause_expires_at: int
    """Unix seconds."""
    pause_metadata: dict[str, Any]
    """See `schemas.pauses.Metadata`."""
    interaction_id: str | None
    """Of the answer, once there is one."""
    created_at: datetime

    @classmethod
    def of(cls, execution: WorkflowNodeExecution) -> "WorkflowPause | None":
        """None for a node that never waited."""
        pause = execution.execution_metadata_dict.get(PAUSE)
        if pause is None:
            return None
        shared = ("id", "tenant_id", "app_id", "workflow_id", "created_at")
        return cls(
            **{name: getattr(execution, name) for name in shared},
            workflow_run_id=execution.workflow_run_id or pause.get("workflow_run_id"),
            pause_expires_at=pause["pause_expires_at"],
            pause_metadata=pause["pause_metadata"],
            interaction_id=pause.get("interaction_id"),
        )
