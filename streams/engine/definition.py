"""A graph compiled once, for all its runs. Immutable; callers cache it by `graph_hash`."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.containers import start_of
from schemas.errors import InvalidDefinition
from schemas.graph import DEFAULT_HANDLE, Graph, GraphNode, problems_of, read_graph
from schemas.ids import canonical_json
from schemas.nodes.base import NodeData
from schemas.topology import order, reachable
from streams.engine.declared import declare
from streams.engine.failure import FAIL_BRANCH, Policy, compile_policy
from streams.engine.nodes import (
    CONTAINERS,
    PAUSES,
    PURE,
    RESPONSES,
    TASKS,
    UNRECORDED,
    compile_container,
    compile_pause,
    compile_pure,
    compile_task,
)
from streams.engine.nodes.protocol import ContainerNode, PauseNode, PureNode, TaskNode


class Edge(NamedTuple):
    """Its place in `Scope.edges`, and those of its ends in `Scope.plans`."""

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
    known_as: str
    """As predecessor of others. The start inside a container leaves no record, so it is known as that."""
    type: str
    title: str
    pure: PureNode | None
    task: TaskNode | None
    container: ContainerNode | None
    pause: PauseNode | None
    """One of the four is there."""
    inner: "Scope | None"
    """What is inside a container."""
    incoming: int
    """Edges from nodes that can be reached. One that cannot will never decide."""
    everywhere: Route
    """All edges taken: how a node that does not branch is left."""
    nowhere: Route
    """All edges skipped: how a branch without edges is left."""
    branches: Mapping[str, Route] | None
    """Handle -> route, for a node that branches."""
    responds: bool
    """Its outputs, or those of what is inside, are outputs of the run."""
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
class Scope:
    """Nodes that run together: those outside of all containers, or those directly inside one."""

    plans: tuple[NodePlan, ...]
    """Those that can be reached, in the order of their indexes. The start node is the first."""
    by_id: Mapping[str, NodePlan]
    edges: tuple[Edge, ...]
    responses: tuple[NodePlan, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of one workflow."""

    graph_hash: str
    workflow_type: str
    root: Scope
    by_id: Mapping[str, NodePlan]
    """Wherever they are."""
    environment: Mapping[str, Any]
    conversation: Mapping[str, Any]
    features: Mapping[str, Any]
    waits: bool
    """Some node waits or does I/O. Else each run ends in the hop that it begins in, if nodes run in hops."""


def compile_definition(
    graph: Mapping[str, Any],
    *,
    workflow_type: str,
    features: Mapping[str, Any] | None = None,
    environment_variables: Sequence[Mapping[str, Any]] = (),
    conversation_variables: Sequence[Mapping[str, Any]] = (),
    only: str = "",
    entry: str = "",
) -> Definition:
    """Raises `InvalidDefinition` for a graph that `check` refuses. Takes about half a millisecond a node.

    `only`: the id of a node that is to run alone, with what is inside it. Raises `KeyError` for another id.
    `entry`: the node that the run begins with, for a graph with several triggers; else the first.
    """
    read = read_graph(graph)
    if found := problems_of(read):
        raise InvalidDefinition(found)
    read = declare(read, conversation_variables)
    root = (
        _scope(_alone(read, only), [only], read.nodes[only].owner)
        if only
        else _scope(read, [entry if entry in read.nodes else read.entries()[0]], "")
    )
    plans = {plan.id: plan for plan in _all_plans(root)}
    return Definition(
        graph_hash=hashlib.sha256(canonical_json(graph)).hexdigest(),
        workflow_type=str(workflow_type),
        root=root,
        by_id=MappingProxyType(plans),
        environment=_values(environment_variables),
        conversation=_values(conversation_variables),
        features=features or {},
        waits=any(plan.task or plan.pause for plan in plans.values()),
    )


def _alone(graph: Graph, node_id: str) -> Graph:
    """Nothing follows the node."""
    return replace(graph, edges=[edge for edge in graph.edges if edge.source != node_id])


def _scope(graph: Graph, starts: Sequence[str], owner: str) -> Scope:
    """What is directly inside the container `owner`."""
    inside = {node.id: node for node in graph.inside(owner)}
    adjacency: dict[str, list[str]] = {node_id: [] for node_id in inside}
    for edge in graph.edges:
        if edge.source in inside:
            adjacency[edge.source].append(edge.target)
    seen = reachable(adjacency, starts)
    ids = order({node_id: adjacency[node_id] for node_id in adjacency if node_id in seen})
    index = {node_id: i for i, node_id in enumerate(ids)}
    kept = [edge for edge in graph.edges if edge.source in index]
    edges = tuple(Edge(i, index[edge.source], index[edge.target]) for i, edge in enumerate(kept))
    outgoing: dict[str, list[tuple[str, Edge]]] = {node_id: [] for node_id in ids}
    for edge, compiled in zip(kept, edges, strict=True):
        outgoing[edge.source].append((edge.handle, compiled))
    incoming = Counter(edge.target for edge in edges)
    plans = tuple(
        _plan(graph, inside[node_id], i, incoming[i], outgoing[node_id]) for i, node_id in enumerate(ids)
    )
    by_id = MappingProxyType({plan.id: plan for plan in plans})
    return Scope(plans, by_id, edges, tuple(plan for plan in plans if plan.responds))


def _all_plans(scope: Scope) -> Iterator[NodePlan]:
    for plan in scope.plans:
        yield plan
        if plan.inner is not None:
            yield from _all_plans(plan.inner)


def _plan(
    graph: Graph, node: GraphNode, index: int, incoming: int, outgoing: Sequence[tuple[str, Edge]]
) -> NodePlan:
    data = node.data
    assert data is not None, "check() refuses a graph with such a node"
    inner = _inside(graph, node) if node.type in CONTAINERS else None
    edges = tuple(edge for _, edge in outgoing)
    return NodePlan(
        index=index,
        id=node.id,
        known_as=node.owner if node.type in UNRECORDED else node.id,
        type=node.type,
        title=node.title,
        pure=compile_pure(node.type, data) if node.type in PURE else None,
        task=compile_task(node.type, data) if node.type in TASKS else None,
        container=compile_container(node.id, node.type, data) if node.type in CONTAINERS else None,
        pause=compile_pause(node.type, data) if node.type in PAUSES else None,
        inner=inner,
        incoming=incoming,
        everywhere=Route(edges, ()),
        nowhere=Route((), edges),
        branches=_branches(data, outgoing),
        responds=bool(inner.responses) if inner else node.type in RESPONSES,
        reads=tuple(dict.fromkeys((ref.selector[0], ref.selector[1]) for ref in data.references())),
        config=node.raw,
        policy=compile_policy(data, may_retry=node.type in TASKS),
    )


def _inside(graph: Graph, node: GraphNode) -> Scope:
    start = start_of(node, graph.inside(node.id))
    assert start is not None, "check() refuses a container without one"
    return _scope(graph, [start], node.id)


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
