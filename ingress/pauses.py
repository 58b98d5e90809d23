"""`POST /api/v1/runs/{run_id}/resume`, and of a node execution: the answer that a paused run waits for, or
the word that it need wait no longer. A run that has failed is resumed there: see `ingress.resumption`."""

from typing import Any, NamedTuple

from aiohttp import web
from pydantic import Field, RootModel

from ingress.auth import CALLER
from ingress.errors import Conflict, NotFound, Unprocessable
from ingress.file_inputs import complete_files
from ingress.operation import Operation
from ingress.reading import history
from ingress.responses import json_answer, read_model
from ingress.resumption import RunResumed, go_on
from ingress.run_commands import Addressee, named_run, tell
from ingress.wire import Answer, RequestBody
from schemas.ids import entity_id
from schemas.models import WorkflowPause, WorkflowRun
from schemas.pauses import PAUSING, BadAnswer, read_answer

_PAUSED = "paused"


class NodeAnswer(RequestBody):
    """An answer to one node."""

    inputs: dict[str, Any] = Field(default_factory=dict)
    """Field of the form -> value."""
    action: str | None = None
    """Id of the action; it may be left out where there is only one."""
    interaction_id: str | None = Field(default=None, min_length=1)
    """Sent twice, an answer counts once. Left out, the first answer to a pause counts."""


class Resumption(NodeAnswer):
    """An answer; or, to a run that has failed, no answer."""

    node_id: str | None = None
    """Which node answers, where several wait."""
    pause_id: str | None = None
    """Which pause, where a node waits in several rounds of an iteration."""
    version: str = ""
    """Of a run that has failed: which version goes on, `latest` for the latest published; else its own."""

    @property
    def is_answer(self) -> bool:
        """Whether it says anything to a pause."""
        return any((self.inputs, self.action, self.interaction_id, self.node_id, self.pause_id))


class Resumed(Answer):
    """The answer is durable; the run goes on when the engine gets to it."""

    workflow_run_id: str
    """Of a node that was run alone: an id without a run."""
    pause_id: str
    interaction_id: str
    duplicate: bool
    """Whether the run had this answer before."""


class Continued(RootModel[Resumed | RunResumed]):
    """Of a run that was paused, or of one that has failed."""


async def pauses_of(request: web.Request, run: WorkflowRun) -> list[WorkflowPause]:
    """What the run waits for, in the order in which it began to."""
    if run.finished_at is not None:
        return []
    nodes = await history(request).node_executions(run.id, run.tenant_id, node_types=PAUSING)
    found = (WorkflowPause.of(node) for node in nodes if node.status == _PAUSED)
    return [pause for pause in found if pause is not None]


async def resume(request: web.Request) -> web.Response:
    """202; 200 where the run had this answer before. A bad answer is refused, and the run stays paused.

    A run that has failed is resumed by a new one, from the node that failed on.
    """
    wanted = await read_model(request, Resumption)
    run = await named_run(request)
    if run.status == "FAILED" and not wanted.is_answer:
        resumed = await go_on(request, run, wanted.version)
        return json_answer(resumed, 200 if resumed.duplicate else 202)
    if wanted.version:
        raise Conflict(f"only a run that has failed goes on in another version, this one is {run.status}")
    if known := await _known(request, run, wanted.interaction_id):
        return _answer(run, known.id, str(known.interaction_id), duplicate=True)
    return await _accept(request, run, _chosen(await pauses_of(request, run), wanted, run), wanted)


async def resume_node(request: web.Request) -> web.Response:
    """Likewise, of the node execution that waits: in a run, or alone."""
    wanted = await read_model(request, NodeAnswer)
    execution_id, tenant_id = request.match_info["execution_id"], request[CALLER].tenant_id
    node = await history(request).node_execution(execution_id, tenant_id)
    if node is None:
        raise NotFound(f"no node execution has the id {execution_id}")
    pause = WorkflowPause.of(node)
    if pause is None or pause.workflow_run_id is None:
        raise Conflict(f"node {node.node_id} never waited for an answer")
    run = _Step(pause.workflow_run_id, tenant_id, pause.app_id, pause.workflow_id)
    if wanted.interaction_id is not None and wanted.interaction_id == pause.interaction_id:
        return _answer(run, pause.id, wanted.interaction_id, duplicate=True)
    if node.status != _PAUSED:
        raise Conflict(f"node {node.node_id} waits for no answer any more, it has {node.status}")
    return await _accept(request, run, pause, wanted)


class _Step(NamedTuple):
    """An `Addressee`; only a start looks at the version."""

    id: str
    tenant_id: str
    app_id: str | None
    workflow_id: str
    version: str = ""


async def _accept(
    request: web.Request, run: Addressee, pause: WorkflowPause, wanted: NodeAnswer
) -> web.Response:
    """Raises `Unprocessable` for an answer that does not fit."""
    inputs = await complete_files(request, wanted.inputs)
    try:
        answer = read_answer(pause.pause_metadata, inputs, wanted.action)
    except BadAnswer as wrong:
        rows = [
            {"node": None, "field": "action" if f.field == "action" else f"inputs.{f.field}", "why": f.why}
            for f in wrong.faults
        ]
        raise Unprocessable(f"the run stays paused: {wrong}", errors=rows) from wrong
    interaction_id = wanted.interaction_id or f"answer/{pause.id}"
    payload = {
        "interaction_id": interaction_id,
        "node_execution_id": pause.id,
        "inputs": inputs,
        "action": answer.action,
        "by": request[CALLER].name,
    }
    await tell(request, run, "RESUME", entity_id("command", run.id, interaction_id), payload)
    return _answer(run, pause.id, interaction_id, duplicate=False)


async def _known(request: web.Request, run: WorkflowRun, interaction_id: str | None) -> WorkflowPause | None:
    """The pause that this very answer has ended."""
    if interaction_id is None:
        return None
    nodes = await history(request).node_executions(run.id, run.tenant_id, node_types=PAUSING)
    found = (WorkflowPause.of(node) for node in nodes)
    return next((pause for pause in found if pause and pause.interaction_id == interaction_id), None)


def _chosen(pauses: list[WorkflowPause], wanted: Resumption, run: WorkflowRun) -> WorkflowPause:
    """Raises `Conflict` where the answer is for no pause, or for several."""
    chosen = [
        pause
        for pause in pauses
        if wanted.node_id in (None, pause.pause_metadata["node_id"]) and wanted.pause_id in (None, pause.id)
    ]
    if len(chosen) == 1:
        return chosen[0]
    if not pauses:
        raise Conflict(f"the run waits for no answer, it is {run.status}")
    waiting = ", ".join(f"{pause.pause_metadata['node_id']} ({pause.id})" for pause in pauses)
    which = "several pauses fit: say which `pause_id`" if chosen else "it does not wait there"
    raise Conflict(f"{which}; the run waits at {waiting}")


def _answer(run: Addressee, pause_id: str, interaction_id: str, *, duplicate: bool) -> web.Response:
    resumed = Resumed(
        workflow_run_id=run.id, pause_id=pause_id, interaction_id=interaction_id, duplicate=duplicate
    )
    return json_answer(resumed, 200 if duplicate else 202)


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/runs/{run_id}/resume",
        handler=resume,
        summary="Answer what a paused run waits for, or go on where a run has failed",
        tag="runs",
        body=Resumption,
        answer=Continued,
        status=202,
        also=200,
        permission="run",
        errors=(400, 404, 409, 413, 422),
    ),
    Operation(
        method="POST",
        path="/api/v1/node-executions/{execution_id}/resume",
        handler=resume_node,
        summary="Answer what one node waits for, in a run or alone",
        tag="runs",
        body=NodeAnswer,
        answer=Resumed,
        status=202,
        also=200,
        permission="run",
        errors=(400, 404, 409, 413, 422),
    ),
)
