"""How nodes that run together hang together: what a workflow has in common with those copied from it.

Copies differ in a prompt or a template, and rarely in their edges. So a shape is made once for all of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from schemas.graph import Graph, GraphEdge
from schemas.topology import order, reachable
from streams.engine.sharing import Shared


class Edge(NamedTuple):
    """Its place in `Shape.edges`, and those of its ends in `Shape.places`."""

    number: int
    source: int
    target: int


class Route(NamedTuple):
    """What becomes of a node's edges when it leaves by one of its handles."""

    taken: tuple[Edge, ...]
    skipped: tuple[Edge, ...]


class Place(NamedTuple):
    """One node among the others."""

    position: int
    """In the order in which the nodes of a run without branches would run."""
    id: str
    incoming: int
    """Edges from nodes that can be reached. One that cannot will never decide."""
    everywhere: Route
    """All edges taken: how a node that does not branch is left."""
    nowhere: Route
    """All edges skipped: how a branch without edges is left."""
    branches: Mapping[str, Route]
    """Handle -> route, should it branch."""


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Shape:
    """The same object for the same nodes, edges and start, as long as it is in use."""

    owner: str
    """The container that all of it is in; "" for none."""
    places: tuple[Place, ...]
    """Of the nodes that can be reached, in the order of their positions. The start is the first."""
    edges: tuple[Edge, ...]


_OF_ONE = 200
"""What a node weighs in a shape, beside its JSON, of which a byte takes three to eight bytes compiled."""

_Key = tuple[str, tuple[str, ...], tuple[str, ...], tuple[GraphEdge, ...]]


class Shapes:
    """Those in use. Not for two threads at a time."""

    def __init__(self) -> None:
        self._known: Shared[_Key, Shape] = Shared()

    @property
    def size(self) -> int:
        """What all of them weigh, beside the JSON of their nodes."""
        return self._known.size

    def of(self, graph: Graph, starts: Sequence[str], owner: str) -> Shape:
        """Of what is directly inside the container `owner`, as far as it can be reached from `starts`."""
        ids = tuple(node.id for node in graph.inside(owner))
        inside = frozenset(ids)
        edges = tuple(edge for edge in graph.edges if edge.source in inside)
        key = (owner, tuple(starts), ids, edges)
        return self._known.of(key, _OF_ONE * len(ids), partial(_shape, *key))


def _shape(owner: str, starts: Sequence[str], inside: Sequence[str], all_edges: Sequence[GraphEdge]) -> Shape:
    adjacency: dict[str, list[str]] = {node_id: [] for node_id in inside}
    for edge in all_edges:
        adjacency[edge.source].append(edge.target)
    seen = reachable(adjacency, starts)
    ids = order({node_id: adjacency[node_id] for node_id in adjacency if node_id in seen})
    index = {node_id: i for i, node_id in enumerate(ids)}
    kept = [edge for edge in all_edges if edge.source in index]
    edges = tuple(Edge(i, index[edge.source], index[edge.target]) for i, edge in enumerate(kept))
    outgoing: dict[str, list[tuple[str, Edge]]] = {node_id: [] for node_id in ids}
    for edge, numbered in zip(kept, edges, strict=True):
        outgoing[edge.source].append((edge.handle, numbered))
    incoming = Counter(edge.target for edge in edges)
    places = (_place(i, node_id, incoming[i], outgoing[node_id]) for i, node_id in enumerate(ids))
    return Shape(owner, tuple(places), edges)


def _place(position: int, node_id: str, incoming: int, outgoing: Sequence[tuple[str, Edge]]) -> Place:
    edges = tuple(edge for _, edge in outgoing)
    branches = {handle: _route(outgoing, handle) for handle, _ in outgoing}
    everywhere, nowhere = Route(edges, ()), Route((), edges)
    return Place(position, node_id, incoming, everywhere, nowhere, MappingProxyType(branches))


def _route(outgoing: Sequence[tuple[str, Edge]], handle: str) -> Route:
    return Route(
        tuple(edge for name, edge in outgoing if name == handle),
        tuple(edge for name, edge in outgoing if name != handle),
    )
