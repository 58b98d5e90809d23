"""Which nodes a run that resumes a failed one need not execute again. Pure; see docs/adr/0020."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingress.errors import Conflict, Unavailable
from schemas.graph import DEFAULT_HANDLE, Graph, GraphNode, read_graph
from schemas.models import Workflow, WorkflowNodeExecution, WorkflowRun
from schemas.nodes.human_input import TIMEOUT
from schemas.pauses import PAUSE
from schemas.resumption import RESUMED_FROM, KeptNode
from schemas.summaries import offloaded_from

Row = dict[str, Any]
"""Of `errors` in a problem document: node, field, why."""

_FAILURES = frozenset({"retry", "failed", "exception"})
_ENDED = frozenset({*_FAILURES, "succeeded", "stopped"})
_RESPONSES = frozenset({"answer", "end"})
_INSIDE = ("iteration_id", "loop_id")
"""Marks of what was executed in a round of a container."""

_FAIL_BRANCH = "fail-branch"
_SECRET = "{{#env."  # noqa: S105
"""How records show a secret."""
_HARMLESS = frozenset(
    {"template-transform", "variable-aggregator", "list-operator", "if-else", "answer", "end"}
)
"""Types whose nodes may hand a secret on, and may be executed again: they do nothing but compute."""
_HAND_ON = frozenset({"assigner", "human-input", "iteration", "loop"})
"""Types whose nodes may hand a secret on, too. All others get it masked, or never."""


def kept_nodes(
    run: WorkflowRun, nodes: Sequence[WorkflowNodeExecution], workflow: Workflow
) -> dict[str, KeptNode]:
    """By id what succeeded in `run`, for a run of `workflow`. `nodes`: all that the run has executed, put
    together again as far as there is something to put together.

    Raises `Unavailable` while the history has not all of it, and `Conflict` where it does not fit the
    workflow, or cannot be known any more.
    """
    _check_complete(run, nodes)
    graph = read_graph(workflow.graph)
    outside = [node for node in nodes if not any(mark in node.execution_metadata_dict for mark in _INSIDE)]
    done = {node.node_id: node for node in outside if _is_done(node, graph)}
    faults = [fault for node in done.values() for fault in _faults(node, graph, workflow.version)]
    faults += [_gone(node, workflow.version) for node in outside if _has_failed(node, graph)]
    if faults:
        reason = f"version {workflow.version} cannot go on with run {run.id}"
        raise Conflict(f"{reason}: {len(faults)} of its nodes do not fit; replay it", errors=faults)
    return {node_id: _kept(node) for node_id, node in done.items()}


def _check_complete(run: WorkflowRun, nodes: Sequence[WorkflowNodeExecution]) -> None:
    """What is missing would be executed again, although it may have succeeded."""
    steps = {node.index for node in nodes}
    failures = sum(node.status in _FAILURES for node in nodes)
    if (
        len(steps) != run.total_steps
        or failures != run.exceptions_count
        or not all(node.status in _ENDED for node in nodes)
    ):
        raise Unavailable(f"the history has not all nodes of run {run.id} yet; send it again")


def _is_done(node: WorkflowNodeExecution, graph: Graph) -> bool:
    """Whether it need not be executed again. What has failed and let the run go on counts as long as the
    workflow says the same about its failures."""
    if node.status == "exception":
        now = graph.nodes.get(node.node_id)
        strategy = node.execution_metadata_dict.get("error_strategy")
        return now is None or now.data is None or now.data.error_strategy == strategy
    return node.status == "succeeded" and not (node.node_type in _HARMLESS and _shows_secret(node))


def _shows_secret(node: WorkflowNodeExecution) -> bool:
    return any(_SECRET in (text or "") for text in (node.outputs, node.process_data))


def _has_failed(node: WorkflowNodeExecution, graph: Graph) -> bool:
    return node.status == "failed" and node.node_id not in graph.nodes


def _gone(node: WorkflowNodeExecution, version: str) -> Row:
    return _row(node, "id", f"is gone in version {version}")


def _faults(node: WorkflowNodeExecution, graph: Graph, version: str) -> Iterator[Row]:
    """Why the workflow cannot go on from this node."""
    now = graph.nodes.get(node.node_id)
    if now is None:
        yield _gone(node, version)
        return
    if now.type != node.node_type:
        yield _row(node, "type", f"was a node of type {node.node_type}, and is one of type {now.type}")
    if now.owner:
        yield _row(node, "parentId", f"is inside {now.owner} now")
    handle, handles = _handle(node), now.data.handles() if now.data else None
    if handles is not None and node.status == "succeeded" and handle not in (*handles, None):
        yield _row(node, "edges", f"was left by {handle!r}, which is no branch any more")
    if any(offloaded_from(found) for found in (node.outputs_dict, node.process_data_dict)):
        yield _row(node, "outputs", "what it gave is too much, or no longer kept")
    if node.node_type in _HAND_ON and _shows_secret(node):
        yield _row(node, "outputs", "what it gave has a secret in it, which no record shows")
    if any(inner.type in _RESPONSES for inner in _inside(graph, now)):
        yield _row(node, "type", "has answer or end nodes in it, whose part of the answer is not kept")


def _inside(graph: Graph, node: GraphNode) -> Iterator[GraphNode]:
    """At any depth."""
    for inner in graph.inside(node.id):
        yield inner
        yield from _inside(graph, inner)


def _row(node: WorkflowNodeExecution, field: str, why: str) -> Row:
    return {"node": node.node_id, "field": field, "why": why}


def _kept(node: WorkflowNodeExecution) -> KeptNode:
    metadata, handle = node.execution_metadata_dict, _handle(node)
    origin = metadata.get(RESUMED_FROM) or {
        "workflow_run_id": node.workflow_run_id,
        "node_execution_id": node.id,
        "edge_source_handle": handle,
    }
    strategy = {name: metadata[name] for name in ("error_strategy",) if name in metadata}
    return {
        "status": node.status,
        "inputs": node.inputs_dict,
        "process_data": node.process_data_dict,
        "outputs": node.outputs_dict,
        "handle": handle,
        "error": node.error,
        "metadata": {**strategy, RESUMED_FROM: origin},
        "writes": list(_writes(node)),
    }


def _handle(node: WorkflowNodeExecution) -> str | None:
    """By which it was left, of a node that branches."""
    outputs, metadata = node.outputs_dict, node.execution_metadata_dict
    if RESUMED_FROM in metadata:
        known: str | None = metadata[RESUMED_FROM].get("edge_source_handle")
        return known
    if node.status == "exception":
        return _FAIL_BRANCH if metadata.get("error_strategy") == _FAIL_BRANCH else DEFAULT_HANDLE
    match node.node_type:
        case "if-else":
            return _text(outputs, "selected_case_id")
        case "question-classifier":
            return _text(outputs, "class_id")
        case "human-input":
            was_answered = (metadata.get(PAUSE) or {}).get("interaction_id") is not None
            return (_text(outputs, "__action_id") or None) if was_answered else TIMEOUT
    return None


def _text(outputs: Mapping[str, Any], name: str) -> str:
    return str(outputs.get(name, ""))


def _writes(node: WorkflowNodeExecution) -> Iterator[tuple[str, str, Any]]:
    """What an assigner has written into variables of others."""
    if node.node_type == "assigner":
        for written in node.process_data_dict.get("__updated_variables") or ():
            node_id, name = written["selector"]
            yield node_id, name, written["new_value"]
