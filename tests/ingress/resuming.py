"""A failed run in memory, and the run that goes on with it: engine and door without what is between."""

from datetime import UTC, datetime
from typing import Any

import orjson

from ingress.kept import kept_nodes
from schemas.models import Workflow, WorkflowNodeExecution, WorkflowRun
from streams.engine.effects import NodeExecuted
from streams.engine.state import SPLIT_BYTES
from tests.graphs import Json
from tests.streams.engine.harness import Run, compiled, start_command

NEW_RUN = "new-run"


def shown(record: Json) -> Json:
    """A record as the history has it."""
    times = ("created_at", "finished_at", "event_at")
    at = {n: None if record[n] is None else datetime.fromtimestamp(record[n] / 1e6, UTC) for n in times}
    return {**record, **at}


def executions(run: Run) -> list[WorkflowNodeExecution]:
    """The latest record of each execution, in the order of the history."""
    latest = {record["id"]: record for record in run.records(NodeExecuted)}
    found = [WorkflowNodeExecution.model_validate(shown(record)) for record in latest.values()]
    return sorted(found, key=lambda one: (one.index, one.created_at, one.id))


def failed_run(run: Run) -> WorkflowRun:
    """The run as the history has it."""
    return WorkflowRun.model_validate({**shown(run.run), "graph": None})


def version(graph: Json, name: str = "v1") -> Workflow:
    """A version of the workflow."""
    return Workflow(id="workflow", app_id="app", type="workflow", version=name, graph=graph)


def resumed(
    run: Run, graph: Json, inputs: Json | None = None, split_bytes: int = SPLIT_BYTES, run_id: str = NEW_RUN
) -> Run:
    """A run of `graph` that goes on where `run` has failed; raises as `kept_nodes` does. What is kept goes
    through JSON, as it does in a message."""
    kept = orjson.loads(orjson.dumps(kept_nodes(failed_run(run), executions(run), version(graph))))
    again = Run(compiled(graph), run.options, split_bytes)
    again.now_us = run.now_us
    again.tell(start_command(inputs or {}, kept=kept)._replace(run_id=run_id))
    return again


def origin(record: Json) -> Any:
    """Where a node was executed that is kept; None for one that was executed here."""
    return orjson.loads(record["execution_metadata"] or "{}").get("resumed_from")
