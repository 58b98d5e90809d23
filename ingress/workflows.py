"""`/api/v1/workflows`: what there is."""

from bisect import bisect_right

import orjson
from aiohttp import web

from ingress.auth import CALLER
from ingress.cursors import new_cursor, read_cursor
from ingress.errors import Conflict
from ingress.history import MAX_LIMIT
from ingress.keys import FEED
from ingress.operation import Operation, Query
from ingress.ownership import find_app, find_version, find_versions
from ingress.reading import CURSOR_QUERY, limit_of
from ingress.responses import json_answer
from ingress.workflow_views import VersionList, WorkflowList, WorkflowView, summary, version_summary, view
from schemas.dsl import export_dsl
from schemas.models import DRAFT, Workflow
from transport.definitions import Definitions

PATH = "/api/v1/workflows"
_Place = tuple[str, str]
"""Name of the app, and workflow id."""

_VERSION = Query("version", "`draft` or a published version; else the latest published, else the draft")


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, by name. None of them is opened."""
    definitions = request.app[FEED].definitions
    found = _places(definitions, request[CALLER].tenant_id)
    given = request.query.get("cursor")
    first = bisect_right(found, read_cursor(given, _place)) if given is not None else 0
    end = first + limit_of(request) if "limit" in request.query else len(found)
    page = [summary(definitions, workflow_id) for _, workflow_id in found[first:end]]
    return json_answer(
        WorkflowList(data=page, next_cursor=_cursor(found[end - 1]) if end < len(found) else None)
    )


def _places(definitions: Definitions, tenant_id: str) -> list[_Place]:
    """Of the tenant's workflows in the list, in order."""
    names = {app.workflow_id: app.name for app in definitions.apps.values() if app.tenant_id == tenant_id}
    return sorted(
        (names.get(workflow_id, ""), workflow_id)
        for workflow_id, versions in definitions.workflows.items()
        if any(one.tenant_id == tenant_id for one in versions.heads)
    )


def _cursor(place: _Place) -> str:
    return new_cursor(orjson.dumps(place).decode())


def _place(text: str) -> _Place:
    name, workflow_id = orjson.loads(text)
    return str(name), str(workflow_id)


async def show(request: web.Request) -> web.Response:
    """One version."""
    return json_answer(view(request.app[FEED].definitions, _named(request)))


async def list_versions(request: web.Request) -> web.Response:
    """The newest first, the draft before all."""
    definitions = request.app[FEED].definitions
    versions = find_versions(definitions, request[CALLER], request.match_info["workflow_id"]).values()
    ordered = sorted(versions, key=lambda w: (w.version == DRAFT, w.version), reverse=True)
    return json_answer(VersionList(data=[version_summary(w) for w in ordered]))


async def export(request: web.Request) -> web.Response:
    """A Dify DSL file; secret values are left out, as Dify does."""
    workflow = _named(request)
    app = find_app(request.app[FEED].definitions, request[CALLER], workflow.app_id)
    if app is None:
        raise Conflict(f"the app of workflow {workflow.id} is gone; import it again under its name")
    secretless = [
        {**v, "value": ""} if v.get("value_type") == "secret" else v for v in workflow.environment_variables
    ]
    shown = workflow.model_copy(update={"environment_variables": secretless})
    return web.Response(text=export_dsl(app, shown), content_type="application/yaml", charset="utf-8")


def _named(request: web.Request) -> Workflow:
    return find_version(
        request.app[FEED].definitions,
        request[CALLER],
        request.match_info["workflow_id"],
        request.query.get("version"),
    )


_ONE = PATH + "/{workflow_id}"

OPERATIONS = (
    Operation(
        method="GET",
        path=PATH,
        handler=list_all,
        summary="List workflows",
        tag="workflows",
        answer=WorkflowList,
        query=(
            Query("limit", f"at most this many, 1 to {MAX_LIMIT}, else all", "integer"),
            CURSOR_QUERY,
        ),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path=_ONE,
        handler=show,
        summary="Show a version of a workflow",
        tag="workflows",
        answer=WorkflowView,
        query=(_VERSION,),
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=_ONE + "/versions",
        handler=list_versions,
        summary="List the versions of a workflow",
        tag="workflows",
        answer=VersionList,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=_ONE + "/export",
        handler=export,
        summary="Write a version as a Dify DSL file",
        tag="workflows",
        answer="application/yaml",
        query=(_VERSION,),
        errors=(404, 409),
    ),
)
