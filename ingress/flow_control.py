"""`/api/v1/workflows/{workflow_id}/flow-control`, `/pause`, `/resume`: how events get to a workflow."""

from datetime import datetime, timedelta
from typing import Any, Literal

from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Unprocessable
from ingress.keys import CODEC, FEED, PRODUCER, STORE, TURNS
from ingress.operation import Operation
from ingress.ownership import named_workflow
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.ids import gate_key
from schemas.models import (
    Batch,
    Debounce,
    FlowControl,
    ManualStarts,
    RateLimit,
    Throttle,
    WorkflowHead,
    WorkflowType,
    utc_now,
)
from transport.definitions import FLOW_CONTROLS
from transport.producer import Send

_PATH = "/api/v1/workflows/{workflow_id}"
_TICK = timedelta(milliseconds=1)


class FlowControlBody(RequestBody):
    """All of it: what is left out is as if it had never been said."""

    rate_limit: RateLimit | None = None
    debounce: Debounce | None = None
    batch: Batch | None = None
    throttle: Throttle | None = None
    manual: ManualStarts = ManualStarts()


class FlowControlView(Answer):
    """As it holds for the events of all triggers of the workflow."""

    workflow_id: str
    paused: Literal["", "hold", "ignore"]
    rate_limit: RateLimit | None
    debounce: Debounce | None
    batch: Batch | None
    throttle: Throttle | None
    manual: ManualStarts
    updated_at: datetime | None
    """None where it has never been set."""


class Pause(RequestBody):
    """What is done with events until the workflow is resumed."""

    events: Literal["hold", "ignore"] = "hold"
    """`hold` keeps them, and they start their runs in order once it is resumed."""


async def show(request: web.Request) -> web.Response:
    """What holds now."""
    workflow = named_workflow(request)
    return _answer(request, workflow)


async def replace(request: web.Request) -> web.Response:
    """All limits at once; a pause stays."""
    workflow, wanted = named_workflow(request), await read_model(request, FlowControlBody)
    if wanted.batch is not None and workflow.type is WorkflowType.CHAT:
        row = {"node": None, "field": "batch", "why": "each turn of a conversation is a run of its own"}
        raise Unprocessable("a chat takes no batches", errors=[row])
    await _put(request, workflow, {name: getattr(wanted, name) for name in FlowControlBody.model_fields})
    return _answer(request, workflow)


async def pause(request: web.Request) -> web.Response:
    """All its triggers at once. It can still be started by hand."""
    workflow, wanted = named_workflow(request), await read_model(request, Pause)
    await _put(request, workflow, {"paused": wanted.events})
    return _answer(request, workflow)


async def resume(request: web.Request) -> web.Response:
    """What was held starts; told twice, it starts once."""
    workflow = named_workflow(request)
    resumed = await _put(request, workflow, {"paused": ""})
    key = gate_key(workflow.id, "hold", "")
    record = {
        "gate_key": key,
        "kind": "RESUME",
        "tenant_id": workflow.tenant_id,
        "workflow_id": workflow.id,
        # Later than the pause, whichever ingress has begun that.
        "issued_at": int(resumed.updated_at.timestamp() * 1e6),
    }
    value = request.app[CODEC].encode("GateCommand", record)
    await request.app[PRODUCER].send(Send("gate.commands", key.encode(), value))
    return _answer(request, workflow)


async def _put(request: web.Request, workflow: WorkflowHead, update: dict[str, Any]) -> FlowControl:
    """The control as it is now, its `updated_at` later than before: clocks of ingresses differ."""
    async with request.app[TURNS].of(workflow.id):
        caller, now = request[CALLER], utc_now()
        before = request.app[FEED].definitions.flow_controls.get(workflow.id)
        if before is None:
            before = FlowControl(id=workflow.id, tenant_id=workflow.tenant_id, created_by=caller.name)
        else:
            now = max(now, before.updated_at + _TICK)
        changed = before.model_copy(update={**update, "updated_at": now, "updated_by": caller.name})
        await request.app[STORE].put(FLOW_CONTROLS, changed)
    return changed


def _answer(request: web.Request, workflow: WorkflowHead) -> web.Response:
    control = request.app[FEED].definitions.flow_controls.get(workflow.id)
    found = control or FlowControl(id=workflow.id)
    own = {name: getattr(found, name) for name in ("paused", *FlowControlBody.model_fields)}
    updated_at = control.updated_at if control else None
    return json_answer(FlowControlView(workflow_id=workflow.id, updated_at=updated_at, **own))


def _operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
    rest = {"answer": FlowControlView, "errors": (404,), **rest}
    return Operation(
        method=method, path=_PATH + path, handler=handler, summary=summary, tag="workflows", **rest
    )


OPERATIONS = (
    _operation("GET", "/flow-control", show, "Show how events get to a workflow"),
    _operation(
        "PUT",
        "/flow-control",
        replace,
        "Limit, debounce, gather and throttle the events of a workflow",
        body=FlowControlBody,
        errors=(400, 404, 422),
    ),
    _operation(
        "POST", "/pause", pause, "Pause all triggers of a workflow", body=Pause, errors=(400, 404, 422)
    ),
    _operation("POST", "/resume", resume, "Resume a paused workflow"),
)
