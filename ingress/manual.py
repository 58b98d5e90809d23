"""`POST /api/v1/triggers/workflows/{workflow_id}/manual`: somebody starts a workflow."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web
from pydantic import Field

from ingress.accept import Arrival, iso
from ingress.auth import CALLER, Caller
from ingress.errors import Conflict, Malformed
from ingress.file_inputs import complete_files
from ingress.form_inputs import check_inputs
from ingress.identity import delivery_id, window_ms
from ingress.keys import DOOR, FEED, LIMITS, SETTINGS
from ingress.operation import EVENTS, Operation
from ingress.ownership import find_versions
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from schemas.ids import conversation_id, new_id, now_us, workflow_run_id
from schemas.models import DRAFT, ManualStarts, Workflow, WorkflowType
from schemas.triggers.kinds import MANUAL
from transport.definitions import Definitions


class ManualStart(RequestBody):
    """What a workflow is started with."""

    inputs: dict[str, Any] = Field(default_factory=dict)
    """Start variable -> value."""
    draft: bool = False
    """Run the draft instead of the latest published version."""
    version: str = ""
    """Run this version; `draft` is one."""
    query: str = ""
    """What the user of a chat says: `sys.query`."""
    conversation_id: str = ""
    """Of a chat: `sys.conversation_id`."""
    files: list[dict[str, Any]] = Field(default_factory=list)
    """`sys.files`."""
    user: str = Field(default="", max_length=200)
    """For whom a key acts: `initiated_by`. A person is who their token says."""
    confirmed: bool = False
    """For workflows that want to be confirmed."""


class ManualStarted(Answer):
    """The event is durable; the run begins when the stream gets to it."""

    trigger_id: str
    duplicate: bool
    event_id: str
    workflow_run_id: str
    """Of the run that the event starts, or has started where it is a duplicate."""
    conversation_id: str | None = None
    """Of a chat: the conversation that the run is a turn of."""


async def start(request: web.Request) -> web.Response:
    """One run for each call, or for each `Idempotency-Key`."""
    caller = request[CALLER]
    workflow_id = request.match_info["workflow_id"]
    wanted = await read_model(request, ManualStart)
    version = wanted.version or (DRAFT if wanted.draft else "")
    workflow = check_startable(request.app[FEED].definitions, caller, workflow_id, version)
    inputs = await complete_files(request, wanted.inputs)
    check_inputs(workflow, inputs)
    user = caller.name if caller.is_person else wanted.user
    interval_s = _interval_s(request, workflow, wanted, user)
    metadata = {"initiated_by": user or caller.name, "version": version, "interval_s": interval_s}
    system = await _system(request, wanted)
    return await launch(request, workflow, inputs, metadata, system=system)


def _interval_s(request: web.Request, workflow: Workflow, wanted: ManualStart, user: str) -> float:
    """How often the user may start it; 0 is as often as they like. Raises `Conflict`, `TooMany`."""
    control = request.app[FEED].definitions.flow_controls.get(workflow.id)
    manual = control.manual if control else ManualStarts()
    if not manual.enabled:
        raise Conflict("this workflow is not to be started by hand")
    if manual.require_confirmation and not wanted.confirmed:
        raise Conflict("this workflow wants to be confirmed; send `confirmed: true`")
    interval_s = request.app[SETTINGS].manual_interval_s if manual.interval_s is None else manual.interval_s
    if not user or not interval_s:
        return 0
    if delivery_id(request.headers) is None:
        # What is told again under its key is a duplicate, and none too many.
        request.app[LIMITS].check_start(workflow.id, user, interval_s)
    return interval_s


async def launch(
    request: web.Request,
    workflow: Workflow,
    inputs: dict[str, Any],
    metadata: dict[str, Any],
    *,
    system: Mapping[str, Any] | None = None,
    replay_of: str | None = None,
) -> web.Response:
    """Publishes the MANUAL event, and answers when it is durable. Raises `Unavailable`, `TooLarge`.

    `system` are the variables of `sys` that the caller gives.
    """
    value = _value(inputs, system or {}, metadata)
    started = await publish(request, workflow, value, replay_of)
    return json_answer(started, 200 if started.duplicate else 202)


async def publish(
    request: web.Request,
    workflow: Workflow,
    value: dict[str, Any],
    replay_of: str | None,
    trigger_id: str | None = None,
) -> ManualStarted:
    """Likewise, with all that the event says. `trigger_id` is its name, whatever the request says."""
    system = value.get("system") or {}
    arrival = _arrival(request, workflow.id, value, replay_of, trigger_id)
    acceptance = await request.app[DOOR].accept(arrival, request.headers)
    run_id = workflow_run_id(acceptance.dedup_key, acceptance.first_received_at, workflow.id)
    conversation = None
    if workflow.type is WorkflowType.CHAT:
        conversation = system.get("conversation_id") or conversation_id(run_id)
    return ManualStarted(
        trigger_id=arrival.trigger_id,
        duplicate=acceptance.duplicate,
        event_id=arrival.event_id,
        workflow_run_id=run_id,
        conversation_id=conversation,
    )


def check_startable(definitions: Definitions, caller: Caller, workflow_id: str, version: str) -> Workflow:
    """The version that would run; "" is the latest published. Raises `NotFound`, `Conflict` without one."""
    versions = find_versions(definitions, caller, workflow_id)
    if version and version not in versions:
        raise Conflict(f"workflow {workflow_id} has no version {version!r}; it has {', '.join(versions)}")
    if not version and workflow_id not in definitions.latest:
        raise Conflict(f"workflow {workflow_id} has no published version; publish it, or send `draft: true`")
    return versions[version] if version else definitions.latest[workflow_id]


async def _system(request: web.Request, wanted: ManualStart) -> dict[str, Any]:
    """What was given of it: the engine has defaults for the rest."""
    given = await complete_files(request, {"files": wanted.files})
    given |= {"query": wanted.query, "conversation_id": wanted.conversation_id}
    return {name: value for name, value in given.items() if value}


def _value(inputs: dict[str, Any], system: Mapping[str, Any], metadata: dict[str, Any]) -> dict[str, Any]:
    value = {"type": "manual", "inputs": inputs, "metadata": metadata}
    return {**value, "system": dict(system)} if system else value


def _arrival(
    request: web.Request,
    workflow_id: str,
    event: dict[str, Any],
    replay_of: str | None,
    trigger_id: str | None,
) -> Arrival:
    caller = request[CALLER]
    event_id, received_at = new_id(), now_us()
    time = iso(received_at)
    value = {
        **event,
        "source": {"ip": request.remote, "user_agent": request.headers.get("User-Agent")},
        "metadata": {**event["metadata"], "received_at": time},
    }
    try:
        document = orjson.dumps(value).decode()
    except TypeError as wrong:
        raise Malformed(f"the inputs cannot be written as JSON: {wrong}") from wrong
    return Arrival(
        event_id=event_id,
        tenant_id=caller.tenant_id,
        trigger_type=MANUAL,
        index_key=workflow_id,
        trigger_id=trigger_id or delivery_id(request.headers) or f"manual-{caller.name}-{event_id}",
        window_ms=window_ms(True, None),
        received_at=received_at,
        time=time,
        data=document,
        source=f"/api/v1/workflows/{workflow_id}",
        event_type="manual",
        created_by_role="account",
        created_by=caller.name,
        replay_of=replay_of,
    )


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/triggers/workflows/{workflow_id}/manual",
        handler=start,
        summary="Start a workflow by hand",
        tag=EVENTS,
        body=ManualStart,
        answer=ManualStarted,
        status=202,
        also=200,
        permission="run",
        errors=(400, 404, 409, 413, 422, 429),
    ),
)
