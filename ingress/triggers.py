"""`/api/v1/triggers`: what starts which workflow."""

from datetime import datetime
from typing import Any

from aiohttp import web
from pydantic import AwareDatetime, Field

from ingress.auth import CALLER
from ingress.claims import put_claiming
from ingress.errors import Conflict, Unprocessable
from ingress.keys import CLICKHOUSE, FEED, STORE, TURNS
from ingress.operation import Operation, Query
from ingress.ownership import find_trigger, find_workflow
from ingress.reading import history
from ingress.responses import json_answer, read_model
from ingress.trigger_desks import desk_of, tell_schedule
from ingress.wire import Answer, RequestBody
from schemas.ids import entity_id, now_us
from schemas.models import AppTrigger, AppTriggerStatus, AppTriggerType, DeploymentStatus, utc_now
from schemas.triggers.schedule import ScheduleConfig, to_us
from schemas.triggers.webhook import WebhookConfig
from transport.definitions import TRIGGERS

_PATH = "/api/v1/triggers"


class NewTrigger(RequestBody):
    """A trigger to be created."""

    workflow_id: str
    type: AppTriggerType = WebhookConfig.type
    """Nothing is configured for a manual start: each published workflow can be started by hand."""
    name: str = ""
    node_id: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    """Of its type; the webhook_id of a webhook is made up where none is given."""
    status: AppTriggerStatus = AppTriggerStatus.ACTIVE


class TriggerChange(RequestBody):
    """What is to be different; what is left out stays."""

    name: str | None = None
    node_id: str | None = None
    config: dict[str, Any] | None = None
    """Replaces the whole config; masked secrets stand for the stored ones."""
    status: AppTriggerStatus | None = None


class SourceView(Answer):
    """How a source is doing that Hopline watches by itself."""

    status: str
    """WATCHING or FAILING."""
    error: str
    """Why it fails."""
    since: datetime


class TriggerView(Answer):
    """A trigger as it is shown: secrets masked."""

    id: str
    app_id: str
    workflow_id: str
    node_id: str
    name: str
    type: AppTriggerType
    status: AppTriggerStatus
    config: dict[str, Any]
    url: str | None = None
    """Where producers send to, for one that takes requests."""
    next_times: list[datetime] | None = None
    """The next five of a schedule."""
    source: SourceView | None = None
    """Of a mailbox, a calendar or a topic, once somebody has looked at it."""
    last_triggered_at: datetime | None = None
    """When the last event came that started a run; only where one trigger is shown."""
    created_by: str | None
    created_at: datetime
    updated_at: datetime


class TriggerList(Answer):
    """All that fit the filter, the oldest first."""

    data: list[TriggerView]


class BackfillRange(RequestBody):
    """Times of a schedule that have passed."""

    start: AwareDatetime
    """The first that may be one."""
    end: AwareDatetime
    """The last."""
    backfill_id: str = Field(default="", max_length=100)
    """Yours; else made of the range. Under the same id, each time fires once within seven days."""


class BackfillStarted(Answer):
    """It is durable; its runs begin one after the other."""

    backfill_id: str


async def create(request: web.Request) -> web.Response:
    """201; 200 with the trigger as it is now where the external id of a schedule names one that exists."""
    wanted = await read_model(request, NewTrigger)
    caller = request[CALLER]
    definitions = request.app[FEED].definitions
    workflow = find_workflow(definitions, caller, wanted.workflow_id)
    desk = desk_of(wanted.type)
    config = await desk.resolve(request, desk.check(request, wanted.type, wanted.config, None))
    trigger_id = desk.new_id(request, config)
    before = definitions.triggers.get(trigger_id)
    if before is not None and before.tenant_id != caller.tenant_id:
        raise Conflict("this external_id is taken; choose another one")
    if before is not None:
        update = {**wanted.model_dump(include={"name", "node_id", "status"}), "config": config}
        update |= {"workflow_id": workflow.id, "app_id": workflow.app_id}
        async with request.app[TURNS].of(before.workflow_id):
            return await _update(request, find_trigger(definitions, caller, before.id), update)
    trigger = AppTrigger(
        id=trigger_id,
        tenant_id=caller.tenant_id,
        app_id=workflow.app_id,
        workflow_id=workflow.id,
        node_id=wanted.node_id,
        name=wanted.name,
        type=wanted.type,
        config=config,
        status=wanted.status,
        created_by=caller.name,
        updated_by=caller.name,
    )
    await put_claiming(request, trigger, None)
    await desk.announce(request, trigger)
    return json_answer(_view(request, trigger), 201, {"Location": f"{_PATH}/{trigger.id}"})


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, of one workflow where one is named."""
    tenant_id, workflow_id = request[CALLER].tenant_id, request.query.get("workflow_id")
    definitions = request.app[FEED].definitions
    if workflow_id is not None:
        found = [one for one in definitions.triggers_of(workflow_id) if one.tenant_id == tenant_id]
    else:
        triggers = definitions.triggers
        found = [triggers[one.id] for one in triggers.heads if one.tenant_id == tenant_id]
    found.sort(key=lambda trigger: trigger.created_at)
    return json_answer(TriggerList(data=[_view(request, trigger) for trigger in found]))


async def show(request: web.Request) -> web.Response:
    """One trigger."""
    trigger = _named(request)
    shown = _view(request, trigger)
    if request.app[CLICKHOUSE] is not None:
        shown.last_triggered_at = await history(request).last_triggered_at(trigger.id, trigger.tenant_id)
    return json_answer(shown)


async def change(request: web.Request) -> web.Response:
    """Changes what the body names."""
    wanted = await read_model(request, TriggerChange)
    async with request.app[TURNS].of(_named(request).workflow_id):
        trigger = _named(request)
        update = wanted.model_dump(exclude_none=True)
        if wanted.config is not None:
            desk = desk_of(trigger.type)
            checked = desk.check(request, trigger.type, wanted.config, trigger)
            update["config"] = await desk.resolve(request, checked)
        return await _update(request, trigger, update)


async def pause(request: web.Request) -> web.Response:
    """Events are still taken, and ignored by the stream, which logs it."""
    return await _set(request, AppTriggerStatus.PAUSED)


async def resume(request: web.Request) -> web.Response:
    """Events start runs again."""
    return await _set(request, AppTriggerStatus.ACTIVE)


async def delete(request: web.Request) -> web.Response:
    """Its address answers 404 from now on, its times pass."""
    async with request.app[TURNS].of(_named(request).workflow_id):
        trigger = _named(request)
        await desk_of(trigger.type).announce(request, trigger, removed=True)
        await request.app[STORE].delete(TRIGGERS, trigger.key)
    return web.Response(status=204)


async def backfill(request: web.Request) -> web.Response:
    """Fires the times of a range in the past, each once; asked for again under the same id, it is one."""
    trigger, wanted = _named(request), await read_model(request, BackfillRange)
    if trigger.type != ScheduleConfig.type:
        raise Conflict(f"only a schedule has times; this trigger is of type {trigger.type}")
    if trigger.deployment_status is not DeploymentStatus.DEPLOYED:
        raise Conflict("the workflow of this schedule is not deployed, so that none of its times would fire")
    start, end = to_us(wanted.start), to_us(wanted.end)
    if end < start or end > now_us():
        row = {"node": None, "field": "end", "why": "must be after start, and not in the future"}
        raise Unprocessable("the range cannot be filled", errors=[row])
    backfill_id = wanted.backfill_id or entity_id("backfill", trigger.id, str(start), str(end))
    payload = {"backfill_id": backfill_id, "start": start, "end": end}
    await tell_schedule(request, trigger, "BACKFILL", payload)
    return json_answer(BackfillStarted(backfill_id=backfill_id), 202)


def _named(request: web.Request) -> AppTrigger:
    return find_trigger(request.app[FEED].definitions, request[CALLER], request.match_info["trigger_id"])


async def _set(request: web.Request, status: AppTriggerStatus) -> web.Response:
    async with request.app[TURNS].of(_named(request).workflow_id):
        return await _update(request, _named(request), {"status": status})


async def _update(request: web.Request, trigger: AppTrigger, update: dict[str, Any]) -> web.Response:
    """In its turn, in which the trigger was looked up: one that was deleted meanwhile stays deleted."""
    stamped = {**update, "updated_at": utc_now(), "updated_by": request[CALLER].name}
    changed = trigger.model_copy(update=stamped)
    await put_claiming(request, changed, trigger)
    await desk_of(changed.type).announce(request, changed)
    return json_answer(_view(request, changed))


def _view(request: web.Request, trigger: AppTrigger) -> TriggerView:
    own = trigger.model_dump(include=set(TriggerView.model_fields) - {"config"})
    return TriggerView(**own, **desk_of(trigger.type).show(request, trigger))


def _operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
    rest = {"answer": TriggerView, "errors": (404,), **rest}
    return Operation(
        method=method, path=_PATH + path, handler=handler, summary=summary, tag="triggers", **rest
    )


OPERATIONS = (
    _operation(
        "POST",
        "",
        create,
        "Create a trigger",
        body=NewTrigger,
        status=201,
        also=200,
        errors=(400, 404, 409, 422),
    ),
    _operation(
        "GET",
        "",
        list_all,
        "List triggers",
        answer=TriggerList,
        query=(Query("workflow_id", "only those of this workflow"),),
        errors=(),
    ),
    _operation("GET", "/{trigger_id}", show, "Show a trigger"),
    _operation(
        "PATCH", "/{trigger_id}", change, "Change a trigger", body=TriggerChange, errors=(400, 404, 409, 422)
    ),
    _operation("POST", "/{trigger_id}/pause", pause, "Pause a trigger"),
    _operation("POST", "/{trigger_id}/resume", resume, "Resume a trigger"),
    _operation(
        "POST",
        "/{trigger_id}/backfill",
        backfill,
        "Fire the times of a schedule in a range of the past",
        body=BackfillRange,
        answer=BackfillStarted,
        status=202,
        errors=(400, 404, 409, 422),
    ),
    _operation("DELETE", "/{trigger_id}", delete, "Delete a trigger", answer=None, status=204),
)
