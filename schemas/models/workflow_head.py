"""A version of a workflow without its graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class WorkflowType(StrEnum):
    """What kind of app a workflow powers."""

    WORKFLOW = "workflow"
    CHAT = "chat"
    RAG_PIPELINE = "rag-pipeline"

    @classmethod
    def from_app_mode(cls, mode: str) -> "WorkflowType":
        """Every chat mode is `chat`, all else is `workflow`."""
        return cls.CHAT if "chat" in mode else cls.WORKFLOW


@dataclass(frozen=True, slots=True)
class WorkflowHead:
    """What an event is routed by, and what lists are made of: small, for there may be a hundred thousand.

    Those are equal that are of the same state of the same version, wherever they were read.
    """

    id: str
    version: str
    updated_at: datetime
    tenant_id: str = field(compare=False)
    app_id: str = field(compare=False)
    type: WorkflowType = field(compare=False)
    entries: tuple[tuple[str, str], ...] = field(compare=False)
    """Id and type of its start and trigger nodes, in their order."""
    inputs: tuple[str, ...] = field(compare=False)
    """Names of the variables of the start node."""
    secret_variables: tuple[Mapping[str, Any], ...] = field(compare=False)
    """See `Workflow.secret_variables`."""
