"""Pure nodes for an executor, where a deployment makes every node a hop."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import orjson
from pydantic import ValidationError

from schemas.nodes import parse_node_data
from streams.engine.definition import NodePlan
from streams.engine.errors import NodeFailure
from streams.engine.nodes import ENTRIES, PURE
from streams.engine.nodes.protocol import PureNode, Task
from streams.engine.pool import INPUTS, Pool

_COMPILED = 1_000
"""Nodes that are kept compiled: checking the data of one and compiling its template takes far longer than
running it."""

_COMPILED_CHARS = 32 * 1024
"""Of the data of a node that is kept: together they are 32 MB at most, and what they are compiled to."""


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
    assert plan.config, "it is kept where pure nodes are sent"
    pool: dict[str, dict[str, Any]] = {}
    reads = (
        plan.reads
        if plan.type not in ENTRIES
        else [(name, key) for name in (INPUTS, "sys") for key in values[name]]
    )
    for name, variable in reads:
        found = values.get(name)
        if found is not None and variable in found:
            pool.setdefault(name, {})[variable] = found[variable]
    return Task(orjson.Fragment(plan.config), pool)


def execute_pure(node_type: str, config: Mapping[str, Any], inputs: Mapping[str, Any]) -> PureResult:
    """Runs the node of a NodeTask: its config is the node's data, its inputs the variables that it reads.

    Never blocks. Raises `KeyError` for a type that is not pure.
    """
    return _executed(partial(_compile, node_type, config), inputs)


def execute_pure_json(node_type: str, config: str, inputs: str) -> PureResult:
    """The same of JSON, as it is in the task. Tasks that bring the same config have it compiled once."""
    compiled = _compiled if len(config) <= _COMPILED_CHARS else _compiled.__wrapped__
    return _executed(partial(compiled, node_type, config), orjson.loads(inputs))


def is_pure(node_type: str) -> bool:
    """Whether `execute_pure` can run it."""
    return node_type in PURE


@lru_cache(_COMPILED)
def _compiled(node_type: str, config: str) -> PureNode:
    return _compile(node_type, orjson.loads(config))


def _compile(node_type: str, config: Mapping[str, Any]) -> PureNode:
    return PURE[node_type](parse_node_data({**config, "type": node_type}))


def _executed(compiled: Callable[[], PureNode], inputs: Mapping[str, Any]) -> PureResult:
    try:
        outcome = compiled().run(inputs)
    except NodeFailure as failure:
        return PureResult("failed", {}, {}, None, failure.reason, failure.error_type)
    except ValidationError as wrong:
        return PureResult("failed", {}, {}, None, f"invalid node: {wrong}", "InvalidDefinition")
    writes = [(*variable, value) for variable, value in outcome.writes.items()]
    return PureResult("succeeded", outcome.outputs, outcome.process_data, outcome.handle, None, None, writes)
