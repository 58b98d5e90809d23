"""Workflows as they are shown: secrets masked."""

from datetime import datetime
from typing import Any

from ingress.sealing import masked_variables
from ingress.wire import Answer
from schemas.models import DRAFT, App, Workflow, WorkflowType
from transport.definitions import Definitions


class WorkflowSummary(Answer):
    """One workflow, whatever its versions."""

    id: str
    app_id: str
    name: str
    mode: str
    description: str
    has_draft: bool
    published_version: str | None
    """The one that production runs take, None before the first publication."""
    updated_at: datetime


class WorkflowList(Answer):
    """Of the caller's tenant, by name."""

    data: list[WorkflowSummary]
    next_cursor: str | None
    """Asks for those after these; None when there are no more."""


class VersionSummary(Answer):
    """One version without its graph."""

    version: str
    marked_name: str
    marked_comment: str
    graph_hash: str
    created_by: str | None
    created_at: datetime


class VersionList(Answer):
    """The newest first, the draft before all."""

    data: list[VersionSummary]


class WorkflowView(Answer):
    """One version."""

    id: str
    app_id: str
    name: str
    mode: str
    description: str
    type: WorkflowType
    version: str
    graph: dict[str, Any]
    graph_hash: str
    features: dict[str, Any]
    environment_variables: list[dict[str, Any]]
    """Values of secret ones are masked."""
    conversation_variables: list[dict[str, Any]]
    rag_pipeline_variables: list[dict[str, Any]]
    marked_name: str
    marked_comment: str
    created_by: str | None
    created_at: datetime
    updated_by: str | None
    updated_at: datetime


def summary(definitions: Definitions, workflow_id: str) -> WorkflowSummary:
    """Of a workflow that has a version."""
    versions = definitions.workflows[workflow_id]
    latest = definitions.latest.head(workflow_id)
    any_version = latest or next(versions.heads)
    return WorkflowSummary(
        id=workflow_id,
        app_id=any_version.app_id,
        **_app_fields(definitions.apps.get(any_version.app_id)),
        has_draft=DRAFT in versions,
        published_version=latest.version if latest else None,
        updated_at=max(one.updated_at for one in versions.heads),
    )


def view(definitions: Definitions, workflow: Workflow) -> WorkflowView:
    """One version in full."""
    own = workflow.model_dump(include=set(WorkflowView.model_fields) - {"environment_variables"})
    app_fields = _app_fields(definitions.apps.get(workflow.app_id))
    variables = masked_variables(workflow.environment_variables)
    return WorkflowView(**own, **app_fields, environment_variables=variables)


def version_summary(workflow: Workflow) -> VersionSummary:
    """One version in a list."""
    return VersionSummary.model_validate(workflow, from_attributes=True)


def _app_fields(app: App | None) -> dict[str, Any]:
    if app is None:
        return {"name": "", "mode": "", "description": ""}
    return {"name": app.name, "mode": app.mode.value, "description": app.description}
