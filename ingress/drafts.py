"""Changing workflows: the draft is replaced, a publication makes a version of it that never changes."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER, Caller
from ingress.errors import Conflict
from ingress.keys import FEED, SECRETS, STORE, TURNS
from ingress.operation import Operation
from ingress.ownership import find_version, find_versions, named_workflow
from ingress.responses import json_answer, read_model
from ingress.sealing import opened_variables, seal_variables
from ingress.wire import RequestBody
from ingress.workflow_views import WorkflowView, view
from ingress.workflows import PATH
from schemas.declarations import CONVERSATION, ENVIRONMENT, read_declarations
from schemas.errors import InvalidDefinition
from schemas.graph import check
from schemas.models import DRAFT, Workflow, WorkflowType, utc_now
from schemas.secrets import SecretBox
from transport.definitions import WORKFLOWS


class DraftBody(RequestBody):
    """A whole draft: what is left out is empty afterwards, not as it was."""

    graph: dict[str, Any]
    """Nodes and edges."""
    features: dict[str, Any] = Field(default_factory=dict)
    environment_variables: list[dict[str, Any]] = Field(default_factory=list)
    """A secret one without a value, or with the mask, keeps its value."""
    conversation_variables: list[dict[str, Any]] = Field(default_factory=list)
    rag_pipeline_variables: list[dict[str, Any]] = Field(default_factory=list)
    """The input form of a RAG pipeline; kept for other workflows, as Dify does."""


class Publication(RequestBody):
    """How the version is marked."""

    marked_name: str = ""
    marked_comment: str = ""


async def put_draft(request: web.Request) -> web.Response:
    """Replaces the draft; the graph is checked as at import."""
    body = await read_model(request, DraftBody)
    caller = request[CALLER]
    definitions = request.app[FEED].definitions
    current = find_version(definitions, caller, request.match_info["workflow_id"], None)
    app = definitions.apps.get(current.app_id)
    environment = read_declarations(body.environment_variables, ENVIRONMENT)
    conversation = read_declarations(body.conversation_variables, CONVERSATION)
    problems = check(body.graph, app.mode if app else current.type)
    if problems := [*problems, *environment.problems, *conversation.problems]:
        raise InvalidDefinition(problems)
    body = body.model_copy(update={ENVIRONMENT: environment.variables, CONVERSATION: conversation.variables})
    async with request.app[TURNS].of(current.id):
        stored = definitions.versions(current.id).get(DRAFT, current)
        draft = make_draft(
            body, stored, request.app[SECRETS], caller, current.id, app_id=current.app_id, type_=current.type
        )
        await request.app[STORE].put(WORKFLOWS, draft)
    return json_answer(view(definitions, draft))


async def publish(request: web.Request) -> web.Response:
    """201 with the new version, 200 with the latest one where the draft does not differ from it."""
    marks = await read_model(request, Publication)
    caller = request[CALLER]
    definitions = request.app[FEED].definitions
    workflow_id = named_workflow(request).id
    async with request.app[TURNS].of(workflow_id):
        draft = find_versions(definitions, caller, workflow_id).get(DRAFT)
        if draft is None:
            raise Conflict(f"workflow {workflow_id} has no draft to publish; PUT one, or import a file")
        version, new = await publish_draft(request, draft, marks)
    return json_answer(view(definitions, version), 201 if new else 200)


async def publish_draft(request: web.Request, draft: Workflow, marks: Publication) -> tuple[Workflow, bool]:
    """The version that stands for the draft, and whether it was stored just now."""
    version, new = version_of(request, draft, marks)
    if new:
        await request.app[STORE].put(WORKFLOWS, version)
    return version, new


def version_of(request: web.Request, draft: Workflow, marks: Publication) -> tuple[Workflow, bool]:
    """The version that stands for the draft, and whether it is a new one, which is not stored yet.

    Publishing what is published already changes nothing, so that importing a file at each start does not
    pile up versions.
    """
    latest = request.app[FEED].definitions.latest.get(draft.id)
    if latest is not None and same_content(latest, draft, request.app[SECRETS]):
        return latest, False
    return draft.published(utc_now(), request[CALLER].name, marks.marked_name, marks.marked_comment), True


def make_draft(
    body: DraftBody,
    stored: Workflow | None,
    box: SecretBox | None,
    caller: Caller,
    workflow_id: str,
    *,
    app_id: str,
    type_: WorkflowType,
) -> Workflow:
    """The draft with its secrets encrypted; those that the body masks are taken over from `stored`."""
    before = stored.environment_variables if stored else ()
    created: Mapping[str, Any] = (
        {"created_at": stored.created_at, "created_by": stored.created_by}
        if stored
        else {"created_by": caller.name}
    )
    return Workflow(
        id=workflow_id,
        tenant_id=caller.tenant_id,
        app_id=app_id,
        type=type_,
        version=DRAFT,
        graph=body.graph,
        features=body.features,
        environment_variables=seal_variables(body.environment_variables, before, box, caller.tenant_id),
        conversation_variables=body.conversation_variables,
        rag_pipeline_variables=body.rag_pipeline_variables,
        updated_by=caller.name,
        **created,
    )


def same_content(one: Workflow, other: Workflow, box: SecretBox | None) -> bool:
    """Whether two versions would run alike."""

    def content(workflow: Workflow) -> tuple[Any, ...]:
        variables = opened_variables(workflow.environment_variables, box, workflow.tenant_id)
        declared = workflow.conversation_variables, workflow.rag_pipeline_variables
        return workflow.graph_hash, workflow.features, variables, declared

    return content(one) == content(other)


OPERATIONS = (
    Operation(
        method="PUT",
        path=PATH + "/{workflow_id}/draft",
        handler=put_draft,
        summary="Replace the draft",
        tag="workflows",
        body=DraftBody,
        answer=WorkflowView,
        errors=(400, 404, 409, 413, 422),
    ),
    Operation(
        method="POST",
        path=PATH + "/{workflow_id}/publish",
        handler=publish,
        summary="Publish the draft",
        tag="workflows",
        body=Publication,
        answer=WorkflowView,
        status=201,
        also=200,
        errors=(400, 404, 409, 422),
    ),
)
