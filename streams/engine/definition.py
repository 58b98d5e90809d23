"""A graph compiled once, for all its runs. Immutable; callers cache it by `graph_hash`."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.errors import InvalidDefinition
from schemas.graph import DEFAULT_HANDLE, Graph, GraphNode, problems_of, read_graph
from schemas.ids import canonical_json
from schemas.nodes.base import NodeData
from schemas.topology import order, reachable
from streams.engine.declared import declare
from streams.engine.failure import FAIL_BRANCH, Policy, compile_policy
from streams.engine.nodes import PURE, RESPONSES, compile_pure, compile_task
from streams.engine.nodes.protocol import PureNode, TaskNode


class Edge(NamedTuple):
    """Its place in `Definition.edges`, and those of its ends in `Definition.plans`."""

    number: int
    source: int
    target: int


class Route(NamedTuple):
    """What becomes of a node's edges when it leaves by one of its handles."""

    taken: tuple[Edge, ...]
    skipped: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One node, ready to run."""

    index: int
    """In the order in which the nodes of a run without branches would run."""
    id: str
    type: str
    title: str
    pure: PureNode | None
    task: TaskNode | None
    """One of the two is None."""
    incoming: int
    """Edges from nodes that can be reached. One that cannot will never decide."""
    everywhere: Route
    """All edges taken: how a node that does not branch is left."""
    nowhere: Route
    """All edges skipped: how a branch without edges is left."""
    branches: Mapping[str, Route] | None
    """Handle -> route, for a node that branches."""
    responds: bool
    reads: tuple[tuple[str, str], ...]
    """(node id, variable) of all that it reads."""
    config: Mapping[str, Any]
    """`data` as in the graph."""
    policy: Policy

    def route(self, handle: str | None) -> Route:
        """Where it goes from here. A handle without edges leads nowhere."""
        if self.branches is None:
            return self.everywhere
        return self.branches.get(handle or DEFAULT_HANDLE, self.nowhere)


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of one workflow."""

    graph_hash: str
    workflow_type: str
    plans: tuple[NodePlan, ...]
    """Those that can be reached, in the order of their indexes. The start node is the first."""
    by_id: Mapping[str, NodePlan]
    edges: tuple[Edge, ...]
    responses: tuple[NodePlan, ...]
    environment: Mapping[str, Any]
    conversation: Mapping[str, Any]
    features: Mapping[str, Any]


def compile_definition(
    graph: Mapping[str, Any],
    *,
    workflow_type: str,
    features: Mapping[str, Any] | None = None,
    environment_variables: Sequence[Mapping[str, Any]] = (),
    conversation_variables: Sequence[Mapping[str, Any]] = (),
) -> Definition:
    """Raises `InvalidDefinition` for a graph that `check` refuses. Takes milliseconds for a large graph."""
    read = read_graph(graph)
    if found := problems_of(read):
        raise InvalidDefinition(found)
    read = declare(read, conversation_variables)
    ids = _reached(read)
    index = {node_id: i for i, node_id in enumerate(ids)}
    kept = [edge for edge in read.edges if edge.source in index]
    edges = tuple(Edge(i, index[edge.source], index[edge.target]) for i, edge in enumerate(kept))
    outgoing: dict[str, list[tuple[str, Edge]]] = {node_id: [] for node_id in ids}
    for edge, compiled in zip(kept, edges, strict=True):
        outgoing[edge.source].append((edge.handle, compiled))
    incoming = Counter(edge.target for edge in edges)
    plans = tuple(
        _plan(read.nodes[node_id], i, incoming[i], outgoing[node_id]) for i, node_id in enumerate(ids)
    )
    return Definition(
        graph_hash=hashlib.sha256(canonical_json(graph)).hexdigest(),
        workflow_type=str(workflow_type),
        plans=plans,
        by_id=MappingProxyType({plan.id: plan for plan in plans}),
        edges=edges,
        responses=tuple(plan for plan in plans if plan.responds),
        environment=_values(environment_variables),
        conversation=_values(conversation_variables),
        features=features or {},
    )


def _reached(graph: Graph) -> list[str]:
    adjacency = graph.adjacency()
    seen = reachable(adjacency, graph.starts())
    return order({node: adjacency[node] for node in adjacency if node in seen})


def _plan(node: GraphNode, index: int, incoming: int, outgoing: Sequence[tuple[str, Edge]]) -> NodePlan:
    data = node.data
    assert data is not None, "check() refuses a graph with such a node"
    is_pure = node.type in PURE
    edges = tuple(edge for _, edge in outgoing)
    return NodePlan(
        index=index,
        id=node.id,
        type=node.type,
        title=node.title,
        pure=compile_pure(node.type, data) if is_pure else None,
        task=None if is_pure else compile_task(node.type, data),
        incoming=incoming,
        everywhere=Route(edges, ()),
        nowhere=Route((), edges),
        branches=_branches(data, outgoing),
        responds=node.type in RESPONSES,
        reads=tuple(dict.fromkeys((ref.selector[0], ref.selector[1]) for ref in data.references())),
        config=node.raw,
        policy=compile_policy(data),
    )


def _branches(data: NodeData, outgoing: Sequence[tuple[str, Edge]]) -> Mapping[str, Route] | None:
    if data.handles() is None and data.error_strategy != FAIL_BRANCH:
        return None
    handles = {handle for handle, _ in outgoing}
    return MappingProxyType({handle: _route(outgoing, handle) for handle in handles})


def _route(outgoing: Sequence[tuple[str, Edge]], handle: str) -> Route:
    return Route(
        tuple(edge for name, edge in outgoing if name == handle),
        tuple(edge for name, edge in outgoing if name != handle),
    )


def _values(variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {str(variable["name"]): variable.get("value") for variable in variables}
