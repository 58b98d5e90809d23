"""`POST /api/v1/workflows/import`: a Dify DSL file, or a plain graph, becomes an app with a draft."""

import asyncio

from aiohttp import web

from ingress.auth import CALLER, Caller
from ingress.body import read_body
from ingress.drafts import DraftBody, Publication, make_draft, same_content, version_of
from ingress.errors import Conflict, Malformed, Unprocessable
from ingress.keys import FEED, SECRETS, STORE, TURNS
from ingress.operation import Operation, Query
from ingress.ownership import find_app, named_workflow
from ingress.responses import json_answer
from ingress.wire import Answer
from ingress.workflows import PATH
from schemas.charsets import codec
from schemas.dsl import ImportedApp, parse_dsl
from schemas.ids import entity_id
from schemas.models import DRAFT, App, Entity, Workflow, WorkflowType
from transport.definitions import APPS, WORKFLOWS, Definitions

_TRUE = frozenset({"true", "1", "yes"})


class Imported(Answer):
    """Where the file has gone."""

    app_id: str
    workflow_id: str
    name: str
    mode: str
    version: str
    """`draft`, or the published version."""
    created: bool
    """False where an app of this name was there before: its draft has been replaced."""


async def import_new(request: web.Request) -> web.Response:
    """Idempotent by the app's name: under the same name the draft is replaced."""
    imported = await _read(request)
    name = request.query.get("app") or imported.name
    if not name:
        row = {"node": None, "field": "app", "why": "the file has no name"}
        raise Unprocessable("say what the app is called: ?app=NAME", errors=[row])
    caller = request[CALLER]
    app_id = entity_id("app", caller.tenant_id, name)
    workflow_id = entity_id("workflow", caller.tenant_id, name)
    return await _import(request, imported, name, app_id, workflow_id)


async def import_into(request: web.Request) -> web.Response:
    """Replaces the draft of a workflow that exists."""
    imported = await _read(request)
    workflow = named_workflow(request)
    app = find_app(request.app[FEED].definitions, request[CALLER], workflow.app_id)
    if app is None:
        raise Conflict(f"the app of workflow {workflow.id} is gone; import the file as a new one")
    return await _import(request, imported, app.name, app.id, workflow.id)


async def _read(request: web.Request) -> ImportedApp:
    raw = await read_body(request)
    try:
        text = raw.decode(codec(request.charset))
    except (UnicodeDecodeError, LookupError) as wrong:
        raise Malformed(f"the file is not text in {request.charset or 'utf-8'}: {wrong}") from wrong
    # A long file takes YAML a second, in which webhooks must go on being answered.
    return await asyncio.to_thread(parse_dsl, text)


async def _import(
    request: web.Request, imported: ImportedApp, name: str, app_id: str, workflow_id: str
) -> web.Response:
    async with request.app[TURNS].of(workflow_id):
        return await _store(request, imported, name, app_id, workflow_id)


async def _store(
    request: web.Request, imported: ImportedApp, name: str, app_id: str, workflow_id: str
) -> web.Response:
    definitions, store, caller = request.app[FEED].definitions, request.app[STORE], request[CALLER]
    before = definitions.apps.get(app_id)
    app = _app(imported, before, caller, name, app_id, workflow_id)
    draft = _draft(request, imported, caller, app)
    stored = _stored_draft(definitions, workflow_id)
    changes: list[tuple[str, Entity]] = []
    if before is None or not _same_app(before, app):
        changes.append((APPS, app))
    if stored is None or not same_content(stored, draft, request.app[SECRETS]):
        changes.append((WORKFLOWS, draft))
    else:
        draft = stored
    version = draft
    if request.query.get("publish", "").lower() in _TRUE:
        version, new = version_of(request, draft, Publication())
        changes += [(WORKFLOWS, version)] if new else []
    # All at once: events find the published version alone, which comes after the draft, and nothing that runs
    # needs the app. What a failure leaves out is what differs when the file is sent again.
    await store.put_all(changes)
    answer = Imported(
        app_id=app_id,
        workflow_id=workflow_id,
        name=name,
        mode=app.mode.value,
        version=version.version,
        created=before is None,
    )
    return json_answer(answer, 201 if before is None else 200)


def _app(
    imported: ImportedApp, before: App | None, caller: Caller, name: str, app_id: str, workflow_id: str
) -> App:
    created = (
        {"created_at": before.created_at, "created_by": before.created_by}
        if before
        else {"created_by": caller.name}
    )
    return App(
        id=app_id,
        tenant_id=caller.tenant_id,
        name=name,
        mode=imported.mode,
        description=imported.description,
        workflow_id=workflow_id,
        updated_by=caller.name,
        **created,
    )


def _draft(request: web.Request, imported: ImportedApp, caller: Caller, app: App) -> Workflow:
    body = DraftBody(
        graph=imported.graph,
        features=imported.features,
        environment_variables=imported.environment_variables,
        conversation_variables=imported.conversation_variables,
        rag_pipeline_variables=imported.rag_pipeline_variables,
    )
    stored = _stored_draft(request.app[FEED].definitions, app.workflow_id)
    type_ = WorkflowType.from_app_mode(app.mode)
    return make_draft(body, stored, request.app[SECRETS], caller, app.workflow_id, app_id=app.id, type_=type_)


def _stored_draft(definitions: Definitions, workflow_id: str) -> Workflow | None:
    return definitions.versions(workflow_id).get(DRAFT)


def _same_app(one: App, other: App) -> bool:
    return (one.mode, one.description) == (other.mode, other.description)


_QUERY = (Query("publish", "publish the draft at once", "boolean"),)

OPERATIONS = (
    Operation(
        method="POST",
        path=PATH + "/import",
        handler=import_new,
        summary="Import a Dify DSL file or a plain graph",
        tag="workflows",
        body="application/yaml",
        answer=Imported,
        status=201,
        also=200,
        query=(Query("app", "name of the app; else as the file says"), *_QUERY),
        errors=(400, 409, 413, 422),
    ),
    Operation(
        method="POST",
        path=PATH + "/{workflow_id}/import",
        handler=import_into,
        summary="Replace the draft by a file",
        tag="workflows",
        body="application/yaml",
        answer=Imported,
        query=_QUERY,
        errors=(400, 404, 409, 413, 422),
    ),
)
