"""`/api/v1/trigger-logs`: what became of events, and telling them again."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER
from ingress.errors import Conflict, NotFound
from ingress.file_inputs import complete_files
from ingress.form_inputs import check_inputs
from ingress.keys import FEED
from ingress.manual import ManualStarted, check_startable, launch
from ingress.operation import Operation
from ingress.reading import PLACE, PLACE_QUERY, filter_of, history, limit_of, page_answer, search_query
from ingress.records import TriggerLogDetail, TriggerLogPage
from ingress.responses import json_answer, read_model
from ingress.wire import RequestBody
from schemas.models import WorkflowTriggerLog
from schemas.paths import lookup
from schemas.search import LogFilter
from transport.definitions import Definitions

_PATH = "/api/v1/trigger-logs"
_SAID = ("query", "files")
"""The variables of `sys` that an event brings and a further run may be told."""


class Reinvocation(RequestBody):
    """What is to be different this time."""

    inputs: dict[str, Any] = Field(default_factory=dict)
    """Replace those of the log, one by one."""


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, the newest first."""
    chosen, tenant_id = filter_of(request, LogFilter, *PLACE), request[CALLER].tenant_id
    page = await history(request).trigger_logs(
        chosen, limit_of(request), request.query.get("cursor"), tenant_id=tenant_id
    )
    return page_answer(page)


async def show(request: web.Request) -> web.Response:
    """One trigger log."""
    return json_answer((await _named(request)).to_dict())


async def reinvoke(request: web.Request) -> web.Response:
    """A new event with the inputs of the log, for what is published now; it enters by the same node.

    Its log names the one that it repeats: `trigger_metadata.reinvocation_of`. A chat begins a conversation.
    """
    wanted = await read_model(request, Reinvocation)
    log = await _named(request)
    if log.workflow_id is None:
        raise Conflict("the event was for no workflow, so there is nothing to start")
    caller, definitions = request[CALLER], request.app[FEED].definitions
    workflow = check_startable(definitions, caller, log.workflow_id, "")
    inputs = {**log.inputs, **await complete_files(request, wanted.inputs)}
    if log.root_node_id is None:
        check_inputs(workflow, inputs)
    metadata = {
        "initiated_by": caller.name,
        "version": "",
        "reinvocation_of": log.id,
        "root_node_id": log.root_node_id,
    }
    system = _said(log, definitions)
    return await launch(request, workflow, inputs, metadata, system=system, replay_of=log.id)


async def _named(request: web.Request) -> WorkflowTriggerLog:
    log_id = request.match_info["log_id"]
    row = await history(request).trigger_log(log_id, request[CALLER].tenant_id)
    if row is None:
        raise NotFound(f"no trigger log has the id {log_id}; a new one is here a moment after its event")
    return WorkflowTriggerLog.from_dict(row)


def _said(log: WorkflowTriggerLog, definitions: Definitions) -> dict[str, Any]:
    """What the event said besides the inputs: by itself, or where its trigger has found it."""
    given: Mapping[str, Any] = log.trigger_data.get("system") or {}
    said = {name: given[name] for name in _SAID if name in given}
    deployed = definitions.deployed(log.app_trigger_id or "")
    mapping = deployed.settings.mapping() if deployed else {}
    for name in _SAID:
        found, value = (
            lookup(log.trigger_data, mapping[f"sys.{name}"]) if f"sys.{name}" in mapping else (0, 0)
        )
        if found:
            said[name] = value
    return said


OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        handler=list_all,
        summary="Search trigger logs",
        tag="runs",
        answer=TriggerLogPage,
        query=search_query(LogFilter, *PLACE_QUERY),
        errors=(400,),
    ),
    Operation(
        method="GET",
        path=_PATH + "/{log_id}",
        handler=show,
        summary="Show a trigger log",
        tag="runs",
        answer=TriggerLogDetail,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=_PATH + "/{log_id}/reinvoke",
        handler=reinvoke,
        summary="Start the workflow again with the inputs of an event",
        tag="runs",
        body=Reinvocation,
        answer=ManualStarted,
        status=202,
        also=200,
        permission="run",
        errors=(400, 404, 409, 413, 422),
    ),
)
