"""A graph compiled once, for all its runs. Immutable; callers keep it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson

from schemas.containers import start_of
from schemas.errors import InvalidDefinition
from schemas.graph import DEFAULT_HANDLE, Graph, GraphNode, outline, problems_of, read_graph
from schemas.ids import canonical_json
from schemas.nodes import parse_node_data
from schemas.nodes.base import NodeData
from schemas.sharing import same
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
from streams.engine.shapes import Edge, Place, Route, Shape, Shapes
from streams.engine.sharing import Shared

_MOST_CHECKED = 200_000
"""Graphs whose hashes are remembered: some 30 MB. When there are more, all are looked through once again."""

_PlanKey = tuple[Shape, int, bytes, "Scope | None"]
"""Where a node is, the BLAKE2b of its data, and what is inside it."""
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class NodePlan:
    """One node, ready to run. Definitions share those that are the same."""

    index: int
    """`Place.position`. What is said about the others of the same names is beside them there."""
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
    everywhere: Route
    nowhere: Route
    branches: Mapping[str, Route] | None
    """Handle -> route, for a node that branches."""
    responds: bool
    """Its outputs, or those of what is inside, are outputs of the run."""
    reads: tuple[tuple[str, str], ...]
    """(node id, variable) of all that it reads."""
    config: bytes
    """`data` as in the graph: JSON, which is a quarter of the memory of what it stands for. Empty where pure
    nodes run in hops: nobody is sent it."""
    policy: Policy

    def route(self, handle: str | None) -> Route:
        """Where it goes from here. A handle without edges leads nowhere."""
        if self.branches is None:
            return self.everywhere
        return self.branches.get(handle or DEFAULT_HANDLE, self.nowhere)


@dataclass(frozen=True, slots=True, eq=False)
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
    waits: bool
    """Some node waits or does I/O. Else each run ends in the hop that it begins in, if nodes run in hops."""


class Compiler:
    """Compiles versions, and has them share what is the same in several: shapes, and nodes in the same place
    with the same data. These go with the last definition that they are in. Not for two threads at a time."""

    def __init__(self, *, every_node_a_hop: bool = True) -> None:
        """`every_node_a_hop`: whether pure nodes may be sent to executors, see `Options`."""
        self._every_node_a_hop = every_node_a_hop
        self._shapes = Shapes()
        self._plans: Shared[_PlanKey, NodePlan] = Shared()
        self._checked: set[str] = set()
        """Hashes of graphs that this release has nothing to say against."""

    @property
    def in_use(self) -> int:
        """Bytes of JSON that all definitions which are in use are made of; what several share counts once."""
        return self._plans.size + self._shapes.size

    def compile(
        self,
        graph: Mapping[str, Any],
        *,
        workflow_type: str,
        environment_variables: Sequence[Mapping[str, Any]] = (),
        conversation_variables: Sequence[Mapping[str, Any]] = (),
        only: str = "",
        entry: str = "",
    ) -> Definition:
        """Raises `InvalidDefinition` for a graph that `check` refuses. A node that no other definition has
        takes some 60 µs, and a third of that when its graph comes again; one that is shared takes 9 µs.

        `only`: the id of a node that is to run alone, with what is inside it. Raises `KeyError` for another
        id. `entry`: the node that the run begins with, for a graph with several triggers; else the first.
        """
        graph_hash = hashlib.sha256(canonical_json(graph)).hexdigest()
        read = declare(self._read(graph, graph_hash), conversation_variables)
        root = (
            self._scope(_alone(read, only), [only], read.nodes[only].owner)
            if only
            else self._scope(read, [entry if entry in read.nodes else read.entries()[0]], "")
        )
        by_id = root.by_id
        if any(plan.inner for plan in root.plans):
            by_id = MappingProxyType({plan.id: plan for plan in _all_plans(root)})
        return Definition(
            graph_hash=graph_hash,
            workflow_type=str(workflow_type),
            root=root,
            by_id=by_id,
            environment=_values(environment_variables),
            conversation=_values(conversation_variables),
            waits=any(plan.task or plan.pause for plan in by_id.values()),
        )

    def _read(self, graph: Mapping[str, Any], graph_hash: str) -> Graph:
        """Raises `InvalidDefinition`. A graph that was found good here is not looked through again."""
        if graph_hash in self._checked:
            return outline(graph)
        read = read_graph(graph)
        if found := problems_of(read):
            raise InvalidDefinition(found)
        if len(self._checked) >= _MOST_CHECKED:
            self._checked.clear()
        self._checked.add(graph_hash)
        return read

    def _scope(self, graph: Graph, starts: Sequence[str], owner: str) -> Scope:
        """What is directly inside the container `owner`."""
        shape = self._shapes.of(graph, starts, owner)
        plans = tuple(self._plan(graph, shape, place) for place in shape.places)
        by_id = MappingProxyType({plan.id: plan for plan in plans})
        return Scope(plans, by_id, shape.edges, tuple(plan for plan in plans if plan.responds))

    def _plan(self, graph: Graph, shape: Shape, place: Place) -> NodePlan:
        node = graph.nodes[place.id]
        inner = self._inside(graph, node) if node.type in CONTAINERS else None
        config = orjson.dumps(node.raw)
        key = (shape, place.position, hashlib.blake2b(config, digest_size=_DIGEST_BYTES).digest(), inner)
        # A copy: what orjson gives has room for a kilobyte and more that it does not need.
        kept = bytes(memoryview(config)) if self._every_node_a_hop else b""
        return self._plans.of(key, len(config), partial(_plan, node, place, kept, inner))

    def _inside(self, graph: Graph, node: GraphNode) -> Scope:
        start = start_of(node, graph.inside(node.id))
        assert start is not None, "check() refuses a container without one"
        return self._scope(graph, [start], node.id)


def _alone(graph: Graph, node_id: str) -> Graph:
    """Nothing follows the node."""
    return replace(graph, edges=[edge for edge in graph.edges if edge.source != node_id])


def _all_plans(scope: Scope) -> Iterator[NodePlan]:
    for plan in scope.plans:
        yield plan
        if plan.inner is not None:
            yield from _all_plans(plan.inner)


def _plan(node: GraphNode, place: Place, config: bytes, inner: Scope | None) -> NodePlan:
    data = node.data or parse_node_data(node.raw)
    return NodePlan(
        index=place.position,
        id=place.id,
        known_as=node.owner if node.type in UNRECORDED else place.id,
        type=node.type,
        title=node.title,
        pure=compile_pure(node.type, data) if node.type in PURE else None,
        task=compile_task(node.type, data) if node.type in TASKS else None,
        container=compile_container(place.id, node.type, data) if node.type in CONTAINERS else None,
        pause=compile_pause(node.type, data) if node.type in PAUSES else None,
        inner=inner,
        incoming=place.incoming,
        everywhere=place.everywhere,
        nowhere=place.nowhere,
        branches=place.branches if _branches(data) else None,
        responds=bool(inner.responses) if inner else node.type in RESPONSES,
        reads=same(tuple(dict.fromkeys((ref.selector[0], ref.selector[1]) for ref in data.references()))),
        config=config,
        policy=compile_policy(data, may_retry=node.type in TASKS),
    )


def _branches(data: NodeData) -> bool:
    return data.handles() is not None or data.error_strategy == FAIL_BRANCH


def _values(variables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {str(variable["name"]): variable.get("value") for variable in variables}
