"""A workflow graph: how it is read, and everything that can be wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from schemas.containers import STARTS, claims, container_problems, owners, start_of
from schemas.errors import Problem, reason
from schemas.nodes import NODE_DATA, NOT_SUPPORTED_YET, node_type, parse_node_data
from schemas.nodes.base import NodeData
from schemas.scopes import scope_remarks
from schemas.selectors import NAMESPACES
from schemas.topology import cycle, reachable

NOTE = "custom-note"
"""Visual type of a note on the canvas: no node."""

DEFAULT_HANDLE = "source"

TRIGGERS = frozenset({"trigger-webhook", "trigger-schedule", "trigger-plugin"})
"""Types of the nodes that events enter by."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node, with what its type makes of its data."""

    id: str
    type: str
    title: str
    raw: Mapping[str, Any]
    owner: str
    """The iteration or loop that it is directly inside; "" for none."""
    data: NodeData | None
    """None where the data has problems, or the type is not known here; and in an `outline`."""


class GraphEdge(NamedTuple):
    """One edge."""

    source: str
    target: str
    handle: str


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes and edges that could be read, and what is wrong with the rest."""

    nodes: Mapping[str, GraphNode]
    edges: Sequence[GraphEdge]
    problems: Sequence[Problem]

    def starts(self) -> list[str]:
        """Ids of the start nodes."""
        return [node.id for node in self.nodes.values() if node.type == "start"]

    def entries(self) -> list[str]:
        """Ids of the nodes that a run may begin with: the start node first, then those of triggers."""
        triggers = [node.id for node in self.nodes.values() if node.type in TRIGGERS and not node.owner]
        return [*self.starts(), *triggers]

    def inside(self, owner: str) -> list[GraphNode]:
        """The nodes directly inside a container; those outside of all for ""."""
        return [node for node in self.nodes.values() if node.owner == owner]

    def adjacency(self) -> dict[str, list[str]]:
        """Node id -> targets of its edges."""
        targets: dict[str, list[str]] = {node_id: [] for node_id in self.nodes}
        for edge in self.edges:
            targets[edge.source].append(edge.target)
        return targets


def read_graph(graph: Mapping[str, Any]) -> Graph:
    """Never raises: what cannot be read is a problem."""
    problems: list[Problem] = []
    nodes: dict[str, GraphNode] = {}
    for node in _read_nodes(graph.get("nodes"), problems):
        if node.id in nodes:
            problems.append(Problem(node.id, "id", "is used by several nodes"))
        nodes.setdefault(node.id, node)
    edges = list(_read_edges(graph.get("edges"), nodes, problems))
    return Graph(nodes, edges, problems)


def outline(graph: Mapping[str, Any]) -> Graph:
    """`read_graph` for a graph that `check` has found nothing wrong with, in a third of the time: the data of
    its nodes is not read."""
    nodes = [node for node in graph["nodes"] if node.get("type") != NOTE]
    owner_of = owners({node["id"]: claims(node) for node in nodes})
    found = {node["id"]: _outlined(node["id"], node["data"], owner_of[node["id"]]) for node in nodes}
    return Graph(found, [_edge(edge) for edge in graph["edges"]], ())


def check(graph: Mapping[str, Any], mode: str) -> list[Problem]:
    """Every reason to refuse the graph; empty for one that can be run. `mode` is that of the app."""
    return problems_of(read_graph(graph))


def problems_of(read: Graph) -> list[Problem]:
    """`check` for a graph that is read already."""
    return [
        *read.problems,
        *_start_problems(read),
        *(problem for node in read.nodes.values() for problem in _node_problems(read, node)),
        *container_problems(read.nodes, read.edges),
        *_cycle_problems(read),
    ]


def remarks(graph: Mapping[str, Any], mode: str) -> list[Problem]:
    """What runs, but hardly as meant: `hopline workflow check` prints it as warnings."""
    read = read_graph(graph)
    found = [
        Problem(node.id, field, why)
        for node in read.nodes.values()
        if node.data
        for field, why in node.data.remarks()
    ]
    starts = read.entries()
    seen = reachable(read.adjacency(), [*starts, *_inner_starts(read)]) if starts else set(read.nodes)
    found += [Problem(node_id, "edges", "is never reached") for node_id in read.nodes if node_id not in seen]
    references = {node.id: list(node.data.references()) for node in read.nodes.values() if node.data}
    found += scope_remarks(read.nodes, read.adjacency(), references)
    unusual = "end" if mode == "advanced-chat" else "answer"
    found += [
        Problem(node.id, "type", f"{unusual} is unusual in mode {mode}")
        for node in read.nodes.values()
        if node.type == unusual
    ]
    return [*found, *_loose_edges(read)]


def _inner_starts(graph: Graph) -> list[str]:
    containers = [node for node in graph.nodes.values() if node.type in STARTS]
    return [start for node in containers if (start := start_of(node, graph.inside(node.id)))]


def _read_nodes(nodes: Any, problems: list[Problem]) -> Iterator[GraphNode]:
    if not isinstance(nodes, list):
        problems.append(Problem(None, "graph.nodes", "must be a list"))
        return
    real = [node for node in nodes if not (isinstance(node, Mapping) and node.get("type") == NOTE)]
    owner_of = owners({str(node.get("id")): claims(node) for node in real if isinstance(node, Mapping)})
    for i, node in enumerate(nodes):
        if isinstance(node, Mapping) and node.get("type") == NOTE:
            continue
        place = f"graph.nodes.{i}"
        if not isinstance(node, Mapping) or not isinstance(node.get("data"), Mapping):
            problems.append(Problem(None, place, "must be an object with id and data"))
            continue
        node_id = node.get("id")
        if not isinstance(node_id, str) or not node_id:
            problems.append(Problem(None, f"{place}.id", "must be a text"))
        elif node_id in NAMESPACES:
            problems.append(Problem(node_id, "id", "is reserved"))
        else:
            yield _read_node(node_id, node["data"], owner_of[node_id], problems)


def _read_node(node_id: str, raw: Mapping[str, Any], owner: str, problems: list[Problem]) -> GraphNode:
    kind = node_type(raw)
    data: NodeData | None = None
    if kind in NODE_DATA:
        try:
            data = parse_node_data(raw)
        except ValidationError as wrong:
            problems += [Problem(node_id, _path(error["loc"]), reason(error)) for error in wrong.errors()]
    elif kind in NOT_SUPPORTED_YET:
        problems.append(Problem(node_id, "type", f"{kind} is not supported yet"))
    else:
        problems.append(Problem(node_id, "type", f"unknown node type {kind!r}"))
    return _outlined(node_id, raw, owner, data)


def _outlined(node_id: str, raw: Mapping[str, Any], owner: str, data: NodeData | None = None) -> GraphNode:
    return GraphNode(node_id, node_type(raw), str(raw.get("title") or ""), raw, owner, data)


def _path(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location)) or "data"


def _read_edges(edges: Any, nodes: Mapping[str, GraphNode], problems: list[Problem]) -> Iterator[GraphEdge]:
    if not isinstance(edges, list):
        problems.append(Problem(None, "graph.edges", "must be a list"))
        return
    for i, edge in enumerate(edges):
        place = f"graph.edges.{i}"
        if not isinstance(edge, Mapping):
            problems.append(Problem(None, place, "must be an object"))
            continue
        source, target = edge.get("source"), edge.get("target")
        missing = [end for end in (source, target) if not isinstance(end, str) or end not in nodes]
        problems += [
            Problem(None, place, f"leads from or to node {end!r}, which does not exist") for end in missing
        ]
        if isinstance(source, str) and isinstance(target, str) and not missing:
            yield _edge(edge)


def _edge(edge: Mapping[str, Any]) -> GraphEdge:
    handle = edge.get("sourceHandle")
    return GraphEdge(edge["source"], edge["target"], DEFAULT_HANDLE if handle is None else str(handle))


def _start_problems(graph: Graph) -> Iterator[Problem]:
    starts = graph.starts()
    if not graph.entries():
        yield Problem(None, "graph.nodes", "no start node")
    if len(starts) > 1:
        yield Problem(None, "graph.nodes", f"several start nodes: {', '.join(starts)}")


def _node_problems(graph: Graph, node: GraphNode) -> Iterator[Problem]:
    if node.data is None:
        return
    for field, why in node.data.faults():
        yield Problem(node.id, field, why)
    for field, selector in node.data.references():
        if selector[0] not in graph.nodes and selector[0] not in NAMESPACES:
            path = ".".join(selector)
            yield Problem(node.id, field, f"refers to {path}, but there is no node {selector[0]!r}")


def _loose_edges(graph: Graph) -> Iterator[Problem]:
    """The editor leaves edges of deleted cases behind. They are never taken."""
    for edge in graph.edges:
        data = graph.nodes[edge.source].data
        handles = data.handles() if data else None
        if handles is not None and edge.handle not in handles:
            known = ", ".join(sorted(handles))
            why = (
                f"the edge to {edge.target} leaves by {edge.handle!r}, which is no case (there are: {known})"
            )
            yield Problem(edge.source, "edges", why)


def _cycle_problems(graph: Graph) -> Iterator[Problem]:
    found = cycle(graph.adjacency())
    if found:
        yield Problem(found[0], "edges", f"cycle: {' -> '.join([*found, found[0]])}")
