"""One node of the draft alone, on values that are given."""

from typing import Any

import orjson
from aiohttp import web
from pydantic import Field

from ingress.auth import CALLER
from ingress.errors import NotFound, Unprocessable
from ingress.keys import CODEC, FEED, PRODUCER
from ingress.operation import Operation
from ingress.ownership import find_version
from ingress.reading import history
from ingress.records import NodeExecutionView
from ingress.responses import json_answer, read_model
from ingress.wire import Answer, RequestBody
from ingress.workflows import PATH
from schemas.ids import new_id, node_execution_id, now_us
from schemas.models import DRAFT, Workflow
from schemas.selectors import MIN_SELECTOR_LENGTH
from transport.definitions import WORKFLOWS
from transport.producer import Send

_EXECUTION = "/api/v1/node-executions/{execution_id}"


class StepInputs(RequestBody):
    """What the node finds in the variable pool."""

    inputs: dict[str, Any] = Field(default_factory=dict)
    """`node.variable`, `sys.query`, `conversation.name` -> value; of a start node, `variable` -> value."""


class StepStarted(Answer):
    """The step is durable; its node execution is there a moment later."""

    node_execution_id: str


async def run(request: web.Request) -> web.Response:
    """202. What is inside a container runs with it; nothing that comes after the node runs."""
    wanted, caller = await read_model(request, StepInputs), request[CALLER]
    workflow = find_version(request.app[FEED].definitions, caller, request.match_info["workflow_id"], DRAFT)
    node_id = request.match_info["node_id"]
    if node_id not in dict(workflow.walk_nodes()):
        raise NotFound(f"the draft of workflow {workflow.id} has no node {node_id!r}")
    step_id = new_id()
    inputs, values = _pool(wanted.inputs)
    payload = {
        "inputs": inputs,
        "values": values,
        "single_step": node_id,
        "triggered_from": "debugging",
        "system": {"user_id": caller.name},
    }
    await request.app[PRODUCER].send(_command(request, workflow, step_id, payload))
    return json_answer(StepStarted(node_execution_id=node_execution_id(step_id, node_id)), 202)


async def show(request: web.Request) -> web.Response:
    """Any node execution, of a run or of a single step."""
    execution_id = request.match_info["execution_id"]
    found = await history(request).node_execution(execution_id, request[CALLER].tenant_id)
    if found is None:
        raise NotFound(
            f"no node execution has the id {execution_id}; a new one is here a moment after it began"
        )
    return json_answer(found.to_dict())


def _pool(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What is for the start node, and what is in the pool. Raises `Unprocessable`."""
    inputs: dict[str, Any] = {}
    values: dict[str, dict[str, Any]] = {}
    for name, value in given.items():
        path = name.strip("#").split(".")
        if len(path) == 1:
            inputs[name] = value
        elif len(path) == MIN_SELECTOR_LENGTH:
            values.setdefault(path[0], {})[path[1]] = value
        else:
            row = {"node": None, "field": f"inputs.{name}", "why": "give the whole variable: node.variable"}
            raise Unprocessable("an input is no variable", errors=[row])
    return inputs, values


def _command(request: web.Request, workflow: Workflow, step_id: str, payload: dict[str, Any]) -> Send:
    record = {
        "command_id": f"start/{step_id}",
        "kind": "START",
        "workflow_run_id": step_id,
        "tenant_id": workflow.tenant_id,
        "app_id": workflow.app_id,
        "workflow_id": workflow.id,
        "version": workflow.version,
        "workflows_offset": request.app[FEED].offset(WORKFLOWS),
        "issued_at": now_us(),
        "payload": orjson.dumps(payload).decode(),
    }
    return Send("run.commands", step_id.encode(), request.app[CODEC].encode("RunCommand", record))


OPERATIONS = (
    Operation(
        method="POST",
        path=PATH + "/{workflow_id}/draft/nodes/{node_id}/run",
        handler=run,
        summary="Run one node of the draft alone",
        tag="workflows",
        body=StepInputs,
        answer=StepStarted,
        status=202,
        permission="run",
        errors=(400, 404, 422),
    ),
    Operation(
        method="GET",
        path=_EXECUTION,
        handler=show,
        summary="Show a node execution",
        tag="runs",
        answer=NodeExecutionView,
        errors=(404,),
    ),
)
