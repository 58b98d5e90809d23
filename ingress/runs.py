"""`/api/v1/runs`: what runs and has run, stopping it, and running it again."""

from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Conflict
from ingress.file_inputs import complete_files
from ingress.form_inputs import check_inputs
from ingress.keys import FEED
from ingress.manual import ManualStarted, check_startable, launch
from ingress.operation import Operation
from ingress.pauses import pauses_of
from ingress.reading import PLACE, PLACE_QUERY, filter_of, history, limit_of, page_answer, search_query
from ingress.records import NodeExecutionList, RunDetail, RunPage
from ingress.responses import json_answer, read_model
from ingress.run_commands import named_run, tell
from ingress.wire import Answer, RequestBody
from schemas.ids import entity_id
from schemas.models import DRAFT, WorkflowRun
from schemas.search import RunFilter

_PATH = "/api/v1/runs"
_UNDER_WAY = frozenset({"RUNNING", "PAUSED"})


class Cancellation(RequestBody):
    """Why a run is to stop."""

    reason: str = ""
    """Its `error` afterwards; else who asked."""


class Cancelled(Answer):
    """The run has been told; it stops when the engine gets to it."""

    workflow_run_id: str
    command_id: str


class Replay(RequestBody):
    """What is to be different this time."""

    inputs: dict[str, Any] = {}
    """Replace those of the run, one by one."""


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, the newest first."""
    chosen, tenant_id = filter_of(request, RunFilter, *PLACE), request[CALLER].tenant_id
    page = await history(request).runs(
        chosen, limit_of(request), request.query.get("cursor"), tenant_id=tenant_id
    )
    return page_answer(page)


async def show(request: web.Request) -> web.Response:
    """One run with its graph, and what it waits for."""
    run = await named_run(request)
    pauses = [pause.model_dump() for pause in await pauses_of(request, run)]
    return json_answer({**run.to_dict(), "pauses": pauses})


async def list_nodes(request: web.Request) -> web.Response:
    """Its node executions, in the order of execution."""
    run = await named_run(request)
    nodes = await history(request).node_executions(run.id, request[CALLER].tenant_id)
    return json_answer({"data": [node.to_dict() for node in nodes]})


async def cancel(request: web.Request) -> web.Response:
    """Tells the run to stop. Telling it twice is telling it once."""
    wanted = await read_model(request, Cancellation)
    run = await named_run(request)
    if run.status not in _UNDER_WAY:
        raise Conflict(f"the run has ended {run.status} already")
    command_id = entity_id("command", run.id, "cancel")
    reason = wanted.reason or f"cancelled by {request[CALLER].name}"
    await tell(request, run, "CANCEL", command_id, {"reason": reason})
    return json_answer(Cancelled(workflow_run_id=run.id, command_id=command_id), 202)


async def replay(request: web.Request) -> web.Response:
    """A new run of what is published now, or of the draft if the run was one of it. That of a chat begins a
    conversation of its own: the one of the run has gone on, and is not to be told the same again."""
    wanted = await read_model(request, Replay)
    run = await named_run(request)
    caller = request[CALLER]
    version = DRAFT if run.version == DRAFT else ""
    workflow = check_startable(request.app[FEED].definitions, caller, run.workflow_id, version)
    metadata = {"initiated_by": caller.name, "version": version, "replay_of": run.id}
    inputs = {**run.inputs_dict, **await complete_files(request, wanted.inputs)}
    check_inputs(workflow, inputs)
    system = await _said(request, run)
    return await launch(request, workflow, inputs, metadata, system=system, replay_of=run.id)


async def _said(request: web.Request, run: WorkflowRun) -> dict[str, Any]:
    """What the run was given besides its inputs: its start node shows it."""
    starts = await history(request).node_executions(run.id, run.tenant_id, ("start",))
    outputs = next((start.outputs_dict for start in starts), None) or {}
    return {name: value for name in ("query", "files") if (value := outputs.get(f"sys.{name}"))}


_ONE = _PATH + "/{run_id}"

OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        handler=list_all,
        summary="Search runs",
        tag="runs",
        answer=RunPage,
        query=search_query(RunFilter, *PLACE_QUERY),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path=_ONE,
        handler=show,
        summary="Show a run",
        tag="runs",
        answer=RunDetail,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=_ONE + "/nodes",
        handler=list_nodes,
        summary="List the node executions of a run",
        tag="runs",
        answer=NodeExecutionList,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=_ONE + "/cancel",
        handler=cancel,
        summary="Cancel a run",
        tag="runs",
        body=Cancellation,
        answer=Cancelled,
        status=202,
        permission="run",
        errors=(400, 404, 409, 422),
    ),
    Operation(
        method="POST",
        path=_ONE + "/replay",
        handler=replay,
        summary="Run again",
        tag="runs",
        body=Replay,
        answer=ManualStarted,
        status=202,
        also=200,
        permission="run",
        errors=(400, 404, 409, 413, 422),
    ),
)
