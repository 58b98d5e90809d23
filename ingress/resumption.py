"""Going on with a run that has failed: what succeeded is kept, the rest is executed. See docs/adr/0020."""

from typing import Any

import orjson
from aiohttp import web

from ingress.auth import CALLER
from ingress.errors import Conflict
from ingress.history import MAX_LIMIT
from ingress.kept import kept_nodes
from ingress.keys import FEED, VALUES
from ingress.manual import check_startable, publish
from ingress.reading import history
from ingress.wire import Answer
from schemas.models import Workflow, WorkflowRun, WorkflowType
from schemas.references import as_document, digest_of, value_key
from schemas.resumption import RESUMED_FROM, KeptNode, Resumption
from schemas.search import LogFilter
from transport.values import Upload

LATEST = "latest"
"""Names the latest published version."""

_INLINE_BYTES = 256 * 1024
"""What is kept goes with the event up to that, else by the object storage."""

_SAID = ("query", "files", "user_id")
"""The variables of `sys` that the run was given."""


class RunResumed(Answer):
    """The event is durable; the new run begins when the stream gets to it."""

    workflow_run_id: str
    """Of the new run, or of the one that has gone on before where this is a duplicate."""
    resumed_from: str
    """The run that failed."""
    version: str | None
    """Which the new run is of; None for a duplicate."""
    duplicate: bool
    """Whether the run was resumed before. It goes on once: if the new run has failed as well, resume that."""


async def go_on(request: web.Request, run: WorkflowRun, version: str) -> RunResumed:
    """A new run that goes on where `run` has failed, in its version unless another one is named.

    Raises `Conflict`, `Unavailable`, `TooLarge`.
    """
    if run.type == WorkflowType.CHAT:
        raise Conflict("the run is a turn of a conversation, which has gone on without it: replay it")
    workflow = _workflow(request, run, version)
    name = f"resume/{run.id}"
    if (known := await _resumed_by(request, run, name)) is not None:
        return RunResumed(workflow_run_id=known, resumed_from=run.id, version=None, duplicate=True)
    nodes = await history(request).node_executions(run.id, run.tenant_id)
    kept = kept_nodes(run, nodes, workflow)
    value = {
        "type": "manual",
        "inputs": run.inputs_dict,
        "metadata": await _metadata(request, run, workflow),
        "resumption": await _resumption(request, run, kept),
    }
    said = next((node.outputs_dict for node in nodes if node.node_type == "start"), {})
    if system := {name: found for name in _SAID if (found := said.get(f"sys.{name}"))}:
        value["system"] = system
    started = await publish(request, workflow, value, run.id, name)
    return RunResumed(
        workflow_run_id=started.workflow_run_id,
        resumed_from=run.id,
        version=None if started.duplicate else workflow.version,
        duplicate=started.duplicate,
    )


def _workflow(request: web.Request, run: WorkflowRun, version: str) -> Workflow:
    wanted = "" if version == LATEST else version or run.version
    return check_startable(request.app[FEED].definitions, request[CALLER], run.workflow_id, wanted)


async def _resumed_by(request: web.Request, run: WorkflowRun, name: str) -> str | None:
    """The run that the event of that name has started. What repeats it has started none."""
    named = LogFilter(workflow_id=(run.workflow_id,), trigger_id=name, since=run.event_at)
    logs = (await history(request).trigger_logs(named, MAX_LIMIT, tenant_id=run.tenant_id)).rows
    return next((log["workflow_run_id"] for log in logs if log["workflow_run_id"]), None)


async def _metadata(request: web.Request, run: WorkflowRun, workflow: Workflow) -> dict[str, Any]:
    log = (
        await history(request).trigger_log(run.trigger_log_id, run.tenant_id) if run.trigger_log_id else None
    )
    return {
        "initiated_by": request[CALLER].name,
        "version": workflow.version,
        RESUMED_FROM: run.id,
        "root_node_id": log["root_node_id"] if log else None,
    }


async def _resumption(request: web.Request, run: WorkflowRun, kept: dict[str, KeptNode]) -> Resumption:
    document = orjson.dumps(kept)
    if len(document) > _INLINE_BYTES:
        # Younger than the other values of the run, so that it outlives them until the new run begins.
        key = value_key(run.tenant_id, run.id, digest_of(document))
        await request.app[VALUES].put_all([Upload(key, document, anew=True)])
        return {"workflow_run_id": run.id, "kept": as_document(document)}
    return {"workflow_run_id": run.id, "kept": document.decode()}
