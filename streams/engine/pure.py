"""Pure nodes for an executor, where a deployment makes every node a hop."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.nodes import parse_node_data
from streams.engine.definition import NodePlan
from streams.engine.errors import NodeFailure
from streams.engine.nodes import ENTRIES, PURE
from streams.engine.nodes.protocol import Task
from streams.engine.pool import INPUTS, Pool


class PureResult(NamedTuple):
    """The fields of a NODE_RESULT that a pure node decides."""

    status: str
    outputs: Mapping[str, Any]
    process_data: Mapping[str, Any]
    edge_source_handle: str | None
    error: str | None
    error_type: str | None
    writes: Sequence[tuple[str, str, Any]] = ()
    """(node id or `conversation`, variable, new value)."""


def pure_task(plan: NodePlan, values: Pool) -> Task:
    """What `execute_pure` needs: the node's data, and as inputs the variables that it reads."""
    pool: dict[str, dict[str, Any]] = {}
    reads = (
        plan.reads
        if plan.type not in ENTRIES
        else [(name, key) for name in (INPUTS, "sys") for key in values[name]]
    )
    for name, variable in reads:
        if name in values and variable in values[name]:
            pool.setdefault(name, {})[variable] = values[name][variable]
    return Task(plan.config, pool)


def execute_pure(node_type: str, config: Mapping[str, Any], inputs: Mapping[str, Any]) -> PureResult:
    """Runs the node of a NodeTask: its config is the node's data, its inputs the variables that it reads.

    Never blocks. Raises `KeyError` for a type that is not pure.
    """
    build = PURE[node_type]
    try:
        outcome = build(parse_node_data({**config, "type": node_type})).run(inputs)
    except NodeFailure as failure:
        return PureResult("failed", {}, {}, None, failure.reason, failure.error_type)
    except ValidationError as wrong:
        return PureResult("failed", {}, {}, None, f"invalid node: {wrong}", "InvalidDefinition")
    writes = [(*variable, value) for variable, value in outcome.writes.items()]
    return PureResult("succeeded", outcome.outputs, outcome.process_data, outcome.handle, None, None, writes)


def is_pure(node_type: str) -> bool:
    """Whether `execute_pure` can run it."""
    return node_type in PURE
