"""Whether the triggers of a workflow look at events, since when, and what was tried before."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.models.entity import Entity

HISTORY = 100
"""Deployments of one workflow that are remembered."""


class DeploymentStatus(StrEnum):
    """UNDEPLOYED -> DEPLOYING -> DEPLOYED or DEPLOYMENT_FAILED. Only DEPLOYED looks at events."""

    UNDEPLOYED = "UNDEPLOYED"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    DEPLOYMENT_FAILED = "DEPLOYMENT_FAILED"


class DeploymentRecord(BaseModel):
    """One deployment, or the end of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    action: Literal["deploy", "undeploy"]
    version: str = ""
    """The version whose trigger nodes were taken."""
    deployment_status: DeploymentStatus
    """What came of it."""
    errors: tuple[dict[str, Any], ...] = ()
    """Why it failed: node, field, why."""
    triggers: tuple[str, ...] = ()
    """Ids of those that look at events afterwards."""
    created_by: str | None = None
    started_at: datetime
    finished_at: datetime | None = None


class WorkflowDeployment(Entity):
    """Of one workflow, under its id."""

    deployment_status: DeploymentStatus
    version: str = ""
    history: tuple[DeploymentRecord, ...] = ()
    """The newest first."""
