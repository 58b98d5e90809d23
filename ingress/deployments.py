"""`/api/v1/deployment/workflows/{workflow_id}`: the triggers of a workflow begin and cease to watch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from ingress.auth import CALLER
from ingress.claims import check_free, put_claiming
from ingress.errors import Conflict, Problem, Unprocessable
from ingress.keys import FEED, STORE, TURNS
from ingress.operation import Operation
from ingress.ownership import find_version, named_workflow
from ingress.responses import json_answer, read_model
from ingress.sealing import masked_config
from ingress.trigger_desks import desk_of
from ingress.wire import Answer, RequestBody
from schemas.graph import TRIGGERS as TRIGGER_NODES
from schemas.graph import check
from schemas.ids import entity_id, new_id
from schemas.models import (
    DRAFT,
    AppTrigger,
    DeploymentRecord,
    DeploymentStatus,
    TriggerHead,
    Workflow,
    WorkflowDeployment,
    WorkflowHead,
    utc_now,
)
from schemas.models.deployment import HISTORY
from schemas.triggers.kinds import KINDS
from transport.definitions import DEPLOYMENTS, TRIGGERS

_PATH = "/api/v1/deployment/workflows/{workflow_id}"

Rows = list[dict[str, Any]]


class Deploy(RequestBody):
    """What is deployed."""

    version: str | None = None
    """A published version; None is the latest. Its trigger nodes are taken: runs are of the latest one."""


class DeployedTriggerView(Answer):
    """One trigger of the workflow."""

    id: str
    type: str
    node_id: str
    name: str
    index_key: str
    status: str
    deployment_status: DeploymentStatus


class DeploymentView(Answer):
    """How it stands, and how it came to that."""

    workflow_id: str
    deployment_status: DeploymentStatus
    version: str
    triggers: list[DeployedTriggerView]
    history: list[DeploymentRecord]
    """The newest first."""
    updated_at: datetime | None
    """None where it has never been deployed."""


async def deploy(request: web.Request) -> web.Response:
    """Makes a trigger of each trigger node, and lets all triggers of the workflow look at events.

    422 with every problem where that cannot be: then nothing has changed, but the status and its history.
    Told again, it does the same again: what was cut off half-way is completed.
    """
    workflow = _version(request, await read_model(request, Deploy))
    async with request.app[TURNS].of(workflow.id):
        return await _deploy(request, workflow)


async def _deploy(request: web.Request, workflow: Workflow) -> web.Response:
    head = workflow.head
    course = _Course(request, head, "deploy")
    await course.note(DeploymentStatus.DEPLOYING)
    triggers, errors = await _triggers_of(request, workflow)
    if errors:
        await course.note(DeploymentStatus.DEPLOYMENT_FAILED, errors=errors)
        raise Unprocessable(f"the workflow cannot be deployed: {len(errors)} problem(s)", errors=errors)
    try:
        await _put(request, triggers)
    except Conflict as taken:
        row = {"node": None, "field": "", "why": taken.detail}
        await course.note(DeploymentStatus.DEPLOYMENT_FAILED, errors=[row])
        raise
    await _remove(request, _left_over(request, head, triggers))
    await course.note(DeploymentStatus.DEPLOYED, triggers=[one.id for one in triggers])
    return json_answer(_view(request, head))


async def undeploy(request: web.Request) -> web.Response:
    """No trigger of the workflow looks at events any more; they stay configured."""
    workflow = named_workflow(request)
    async with request.app[TURNS].of(workflow.id):
        course = _Course(request, workflow, "undeploy")
        await _put(request, _changed(_of(request, workflow.id), DeploymentStatus.UNDEPLOYED))
        await course.note(DeploymentStatus.UNDEPLOYED)
    return json_answer(_view(request, workflow))


async def status(request: web.Request) -> web.Response:
    """How it stands."""
    workflow = named_workflow(request)
    return json_answer(_view(request, workflow))


@dataclass
class _Course:
    """One deployment under way, noted as it goes on."""

    request: web.Request
    workflow: WorkflowHead
    action: Any
    started_at: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=new_id)

    async def note(self, status: DeploymentStatus, errors: Rows = [], triggers: Iterable[str] = ()) -> None:  # noqa: B006
        """Its state from now on."""
        app, caller, now = self.request.app, self.request[CALLER], utc_now()
        under_way = status is DeploymentStatus.DEPLOYING
        version = self.workflow.version if self.action == "deploy" else ""
        record = DeploymentRecord(
            id=self.id,
            action=self.action,
            version=version,
            deployment_status=status,
            errors=tuple(errors),
            triggers=tuple(triggers),
            created_by=caller.name,
            started_at=self.started_at,
            finished_at=None if under_way else now,
        )
        before = app[FEED].definitions.deployments.get(self.workflow.id)
        earlier = [one for one in (before.history if before else ()) if one.id != self.id]
        deployment = WorkflowDeployment(
            id=self.workflow.id,
            tenant_id=self.workflow.tenant_id,
            deployment_status=status,
            version=version,
            history=(record, *earlier)[:HISTORY],
            created_by=before.created_by if before else caller.name,
            created_at=before.created_at if before else now,
            updated_by=caller.name,
            updated_at=now,
        )
        await app[STORE].put(DEPLOYMENTS, deployment)


def _version(request: web.Request, wanted: Deploy) -> Workflow:
    definitions, workflow_id = request.app[FEED].definitions, request.match_info["workflow_id"]
    workflow = find_version(definitions, request[CALLER], workflow_id, wanted.version)
    if workflow.version == DRAFT:
        raise Conflict(f"workflow {workflow_id} has no published version to deploy; publish it first")
    return workflow


async def _triggers_of(request: web.Request, workflow: Workflow) -> tuple[list[AppTrigger], Rows]:
    """Those of its nodes and those that were configured by themselves; and what is wrong with the nodes."""
    app = request.app[FEED].definitions.apps.get(workflow.app_id)
    problems = check(workflow.graph, app.mode if app else workflow.type)
    errors: Rows = [{"node": one.node, "field": one.field, "why": one.why} for one in problems]
    triggers: list[AppTrigger] = []
    for node_id, data in workflow.walk_nodes():
        if data.get("type") not in TRIGGER_NODES:
            continue
        try:
            triggers.append(await _trigger_of(request, workflow, node_id, data))
        except Problem as wrong:
            rows: Rows = list(wrong.extensions.get("errors", [])) or [{"field": "", "why": wrong.detail}]
            errors += [{**row, "node": node_id} for row in rows]
    configured = [one for one in _of(request, workflow.id) if not one.from_node]
    for one in configured:
        try:
            check_free(request, one.type, one.settings.addresses, one.id)
        except Conflict as taken:
            errors.append({"node": None, "field": f"triggers.{one.id}", "why": taken.detail})
    return [*triggers, *_changed(configured, DeploymentStatus.DEPLOYED)], errors


async def _trigger_of(request: web.Request, workflow: Workflow, node_id: str, data: Any) -> AppTrigger:
    """Its id, and with it its address, stays from deployment to deployment. Raises `Problem`."""
    kind, given = _config_of(data)
    caller, trigger_id = request[CALLER], entity_id("node-trigger", workflow.id, node_id)
    before = request.app[FEED].definitions.triggers.get(trigger_id)
    if before is not None and before.type != kind:
        before = None
    desk = desk_of(kind)
    if before is not None and "trigger_type" not in data:
        # What a node of Dify has no word for, such as a signature, is configured by itself and stays.
        given = {**masked_config(before.config, KINDS[kind].sealed), **given}
    config = await desk.resolve(request, desk.check(request, kind, given, before))
    made = AppTrigger(
        id=trigger_id,
        tenant_id=workflow.tenant_id,
        app_id=workflow.app_id,
        workflow_id=workflow.id,
        node_id=node_id,
        name=str(data.get("title") or ""),
        type=kind,
        config=config,
        from_node=True,
        created_by=caller.name,
        updated_by=caller.name,
    )
    if before is None:
        return made
    kept = {name: getattr(before, name) for name in ("status", "claims", "created_by", "created_at")}
    return made.model_copy(update=kept)


def _config_of(data: Any) -> tuple[str, dict[str, Any]]:
    """The kind of trigger that the node stands for, and its config. Raises `Unprocessable`."""
    try:
        for name, kind in KINDS.items():
            config = kind.from_node(data)
            if config is not None:
                return name, config
    except ValueError as wrong:
        raise Unprocessable(str(wrong), errors=[{"node": None, "field": "", "why": str(wrong)}]) from wrong
    raise Unprocessable(f"no kind of trigger is made of a node of type {data.get('type')}")


def _of(request: web.Request, workflow_id: str) -> list[AppTrigger]:
    return request.app[FEED].definitions.triggers_of(workflow_id)


def _left_over(request: web.Request, workflow: WorkflowHead, kept: Iterable[AppTrigger]) -> list[AppTrigger]:
    """Triggers of nodes that this version does not have."""
    ids = {one.id for one in kept}
    return [one for one in _of(request, workflow.id) if one.from_node and one.id not in ids]


def _changed(triggers: Iterable[AppTrigger], to: DeploymentStatus) -> list[AppTrigger]:
    update = {"deployment_status": to, "updated_at": utc_now()}
    return [one.model_copy(update=update) for one in triggers]


async def _put(request: web.Request, triggers: list[AppTrigger]) -> None:
    """All or none of them. Raises `Conflict` for an address that another ingress has just given away."""
    before = request.app[FEED].definitions.triggers
    known = {one.id: before.get(one.id) for one in triggers}
    for index, one in enumerate(triggers):
        try:
            await put_claiming(request, one, known[one.id])
        except Conflict:
            await _take_back(request, triggers[:index], known)
            raise
    for one in triggers:
        removed = one.deployment_status is not DeploymentStatus.DEPLOYED
        await desk_of(one.type).announce(request, one, removed=removed)


async def _take_back(
    request: web.Request, triggers: Iterable[AppTrigger], known: Mapping[str, AppTrigger | None]
) -> None:
    for one in triggers:
        before = known[one.id]
        if before is None:
            await request.app[STORE].delete(TRIGGERS, one.key)
        else:
            await request.app[STORE].put(TRIGGERS, before)


async def _remove(request: web.Request, triggers: list[AppTrigger]) -> None:
    for one in triggers:
        await desk_of(one.type).announce(request, one, removed=True)
    if triggers:
        await request.app[STORE].delete(TRIGGERS, *(one.key for one in triggers))


def _view(request: web.Request, workflow: WorkflowHead) -> DeploymentView:
    found = request.app[FEED].definitions.deployments.get(workflow.id)
    triggers = [
        DeployedTriggerView(
            **one.model_dump(include={"id", "type", "node_id", "name", "status", "deployment_status"}),
            index_key=TriggerHead.of(one).index_key,
        )
        for one in sorted(_of(request, workflow.id), key=lambda one: one.created_at)
    ]
    return DeploymentView(
        workflow_id=workflow.id,
        deployment_status=found.deployment_status if found else DeploymentStatus.UNDEPLOYED,
        version=found.version if found else "",
        triggers=triggers,
        history=list(found.history) if found else [],
        updated_at=found.updated_at if found else None,
    )


def _operation(method: str, path: str, handler: Any, summary: str, **rest: Any) -> Operation:
    rest = {"answer": DeploymentView, "errors": (404,), **rest}
    return Operation(
        method=method, path=_PATH + path, handler=handler, summary=summary, tag="deployment", **rest
    )


OPERATIONS = (
    _operation(
        "POST",
        "/deploy",
        deploy,
        "Let the triggers of a workflow look at events",
        body=Deploy,
        errors=(400, 404, 409, 422),
    ),
    _operation("POST", "/undeploy", undeploy, "Let them look at events no more"),
    _operation("GET", "/status", status, "Show whether a workflow is deployed"),
)
