"""`/api/v1/triggers`: what starts which workflow."""

from datetime import datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import Field, ValidationError

from ingress.auth import CALLER
from ingress.errors import Conflict, Unprocessable, invalid
from ingress.keys import FEED, SECRETS, SETTINGS, STORE
from ingress.operation import Operation, Query
from ingress.ownership import find_trigger, find_version
from ingress.responses import json_answer, read_model
from ingress.sealing import MASK, masked_webhook, seal_webhook
from ingress.signatures import build_verifier
from ingress.wire import Answer, RequestBody
from schemas.ids import endpoint_id, new_id
from schemas.models import AppTrigger, AppTriggerStatus, AppTriggerType, utc_now
from schemas.triggers.webhook import WebhookConfig
from transport.definitions import TRIGGERS

_PATH = "/api/v1/triggers"


class NewTrigger(RequestBody):
    """A trigger to be created."""

    workflow_id: str
    type: Literal["WEBHOOK"] = "WEBHOOK"
    name: str = ""
    node_id: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    """WebhookConfig; a webhook_id is made up where none is given."""
    status: AppTriggerStatus = AppTriggerStatus.ACTIVE


class TriggerChange(RequestBody):
    """What is to be different; what is left out stays."""

    name: str | None = None
    node_id: str | None = None
    config: dict[str, Any] | None = None
    """Replaces the whole config; masked secrets stand for the stored ones."""
    status: AppTriggerStatus | None = None


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
    url: str
    """Where producers send to."""
    created_by: str | None
    created_at: datetime
    updated_at: datetime


class TriggerList(Answer):
    """All that fit the filter, the oldest first."""

    data: list[TriggerView]


async def create(request: web.Request) -> web.Response:
    """201 with the URL."""
    wanted = await read_model(request, NewTrigger)
    caller = request[CALLER]
    definitions = request.app[FEED].definitions
    workflow = find_version(definitions, caller, wanted.workflow_id, None)
    config = _config(request, {"webhook_id": endpoint_id(), **wanted.config}, None)
    taken = next(iter(definitions.route(AppTriggerType.WEBHOOK, config["webhook_id"])), None)
    if taken is not None:
        raise Conflict(f"webhook_id {config['webhook_id']} is taken; leave it out to get a new one")
    trigger = AppTrigger(
        id=new_id(),
        tenant_id=caller.tenant_id,
        app_id=workflow.app_id,
        workflow_id=workflow.id,
        node_id=wanted.node_id,
        name=wanted.name,
        type=AppTriggerType(wanted.type),
        config=config,
        status=wanted.status,
        created_by=caller.name,
        updated_by=caller.name,
    )
    await request.app[STORE].put(TRIGGERS, trigger)
    return json_answer(_view(request, trigger), 201, {"Location": f"{_PATH}/{trigger.id}"})


async def list_all(request: web.Request) -> web.Response:
    """Of the caller's tenant, of one workflow where one is named."""
    tenant_id, workflow_id = request[CALLER].tenant_id, request.query.get("workflow_id")
    found = [
        t
        for t in request.app[FEED].definitions.triggers.values()
        if t.tenant_id == tenant_id and workflow_id in (None, t.workflow_id)
    ]
    found.sort(key=lambda trigger: trigger.created_at)
    return json_answer(TriggerList(data=[_view(request, trigger) for trigger in found]))


async def show(request: web.Request) -> web.Response:
    """One trigger."""
    return json_answer(_view(request, _named(request)))


async def change(request: web.Request) -> web.Response:
    """Changes what the body names."""
    wanted = await read_model(request, TriggerChange)
    trigger = _named(request)
    update = wanted.model_dump(exclude_none=True)
    if wanted.config is not None:
        update["config"] = _config(
            request, {"webhook_id": trigger.index_key, **wanted.config}, trigger.config
        )
        if update["config"]["webhook_id"] != trigger.index_key:
            raise Conflict("a webhook_id stays with its trigger; create another trigger for a new address")
    return await _replace(request, trigger, update)


async def pause(request: web.Request) -> web.Response:
    """Events are still taken, and ignored by the stream, which logs it."""
    return await _replace(request, _named(request), {"status": AppTriggerStatus.PAUSED})


async def resume(request: web.Request) -> web.Response:
    """Events start runs again."""
    return await _replace(request, _named(request), {"status": AppTriggerStatus.ACTIVE})


async def delete(request: web.Request) -> web.Response:
    """Its address answers 404 from now on."""
    await request.app[STORE].delete(TRIGGERS, _named(request).key)
    return web.Response(status=204)


def _named(request: web.Request) -> AppTrigger:
    return find_trigger(request.app[FEED].definitions, request[CALLER], request.match_info["trigger_id"])


async def _replace(request: web.Request, trigger: AppTrigger, update: dict[str, Any]) -> web.Response:
    stamped = {**update, "updated_at": utc_now(), "updated_by": request[CALLER].name}
    changed = trigger.model_copy(update=stamped)
    await request.app[STORE].put(TRIGGERS, changed)
    return json_answer(_view(request, changed))


def _config(request: web.Request, given: dict[str, Any], stored: dict[str, Any] | None) -> dict[str, Any]:
    """Checked, with its secrets encrypted, as it is stored. Raises `Unprocessable`, `Conflict`."""
    try:
        config = WebhookConfig.model_validate(given)
        if config.signature is not None:
            build_verifier(config.signature, [s for s in config.signature.secrets if s != MASK])
    except ValidationError as wrong:
        raise invalid(wrong, "config") from wrong
    except ValueError as wrong:
        row = {"node": None, "field": "config.signature.secrets", "why": str(wrong)}
        raise Unprocessable("a signing secret cannot be used", errors=[row]) from wrong
    before = WebhookConfig.model_validate(stored) if stored else None
    sealed = seal_webhook(config, before, request.app[SECRETS], request[CALLER].tenant_id)
    return sealed.model_dump(mode="json")


def _view(request: web.Request, trigger: AppTrigger) -> TriggerView:
    base = request.app[SETTINGS].public_url or f"{request.scheme}://{request.host}"
    shown = trigger.model_dump(include=set(TriggerView.model_fields) - {"config", "url"})
    url = f"{base.rstrip('/')}/triggers/webhook/{trigger.index_key}"
    return TriggerView(**shown, config=masked_webhook(trigger.config), url=url)


def _operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
    rest = {"answer": TriggerView, "errors": (404,), **rest}
    return Operation(
        method=method, path=_PATH + path, handler=handler, summary=summary, tag="triggers", **rest
    )


OPERATIONS = (
    _operation(
        "POST", "", create, "Create a trigger", body=NewTrigger, status=201, errors=(400, 404, 409, 422)
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
    _operation("DELETE", "/{trigger_id}", delete, "Delete a trigger", answer=None, status=204),
)
