"""Which nodes are inside which iteration or loop, and what can be wrong about that.

A container and the nodes inside are one graph to the editor. To the engine the inside of each container is a
graph of its own, with a start of its own, that no edge leads into or out of.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from schemas.errors import Problem

STARTS: Mapping[str, str] = {"iteration": "iteration-start", "loop": "loop-start"}
"""Type of a container -> type of the node inside that it begins with."""

_LOOP_END = "loop-end"


class Node(Protocol):
    """What is looked at of a node; `owner` is the container that it is directly inside, "" for none."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def raw(self) -> Mapping[str, Any]: ...
    @property
    def owner(self) -> str: ...


class Ends(Protocol):
    """What is looked at of an edge."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...


Claims = tuple[str, ...]
"""The containers that a node may be inside of, as its fields say: none, one, or in old files two."""


def claims(node: Mapping[str, Any]) -> Claims:
    """What a node of the graph JSON says about its place.

    `data.container_id` or the canvas's `parentId` name the innermost container. Files without either have
    `data.iteration_id` and `data.loop_id`, and a loop in an iteration gives the nodes inside it both.
    """
    data = node.get("data")
    data = data if isinstance(data, Mapping) else {}
    if "container_id" in data:
        return _claims(data["container_id"])
    if parent := node.get("parentId"):
        return _claims(parent)
    named = [data.get("iteration_id") if data.get("isInIteration", True) else None]
    named.append(data.get("loop_id") if data.get("isInLoop", True) else None)
    return _claims(*named)


def owners(claimed: Mapping[str, Claims]) -> dict[str, str]:
    """Node id -> the container that it is directly inside, "" for none; of two the inner one.

    A claim to a node that is not there says nothing: Dify leaves it on nodes whose container was deleted.
    """
    known = {node_id: [one for one in claim if one in claimed] for node_id, claim in claimed.items()}
    return {node_id: _innermost(claim, claimed) for node_id, claim in known.items()}


def start_of(container: Node, inside: Sequence[Node]) -> str | None:
    """The node that each round begins with; None if there is none, or no telling which."""
    named = container.raw.get("start_node_id")
    if named:
        return named if any(node.id == named for node in inside) else None
    starts = [node.id for node in inside if node.type == STARTS[container.type]]
    return starts[0] if len(starts) == 1 else None


def container_problems(nodes: Mapping[str, Node], edges: Sequence[Ends]) -> Iterator[Problem]:
    """Everything that is wrong about the containers of a graph."""
    inside: dict[str, list[Node]] = {}
    for node in nodes.values():
        if node.owner:
            inside.setdefault(node.owner, []).append(node)
        yield from _owner_problems(node, nodes)
    for node in nodes.values():
        if node.type in STARTS and start_of(node, inside.get(node.id, [])) is None:
            yield Problem(node.id, "start_node_id", f"names no {STARTS[node.type]} node inside")
    for edge in edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if source.owner != target.owner:
            yield Problem(source.id, "edges", f"the edge to {target.id} crosses the border of a container")


def _owner_problems(node: Node, nodes: Mapping[str, Node]) -> Iterator[Problem]:
    owner = nodes.get(node.owner)
    if owner is not None and owner.type not in STARTS:
        yield Problem(node.id, "parentId", f"is inside {owner.id}, which is no iteration and no loop")
    elif owner is not None and node.id in _around(node.id, nodes):
        yield Problem(node.id, "parentId", "is inside itself")
    elif owner is not None and node.type == "start":
        yield Problem(node.id, "type", f"a start node cannot be inside {owner.id}")
    elif node.type in STARTS.values() and (owner is None or STARTS[owner.type] != node.type):
        yield Problem(node.id, "type", f"{node.type} is not inside a container of its type")
    elif node.type == _LOOP_END and not any(
        nodes[around].type == "loop" for around in _around(node.id, nodes)
    ):
        yield Problem(node.id, "type", "loop-end is not inside a loop")


def _around(node_id: str, nodes: Mapping[str, Node]) -> list[str]:
    """The containers around a node, from the inside; ends where they go in a circle."""
    found: list[str] = []
    while (owner := nodes[node_id].owner) in nodes and owner not in found:
        found.append(owner)
        node_id = owner
    return found


def _claims(*candidates: Any) -> Claims:
    return tuple(dict.fromkeys(str(candidate) for candidate in candidates if candidate))


def _innermost(candidates: Sequence[str], claimed: Mapping[str, Claims]) -> str:
    """Of two candidates the one that is itself inside the other."""
    if len(candidates) < 2:
        return candidates[0] if candidates else ""
    return next(
        (one for one in candidates if _is_within(one, set(candidates) - {one}, claimed)), candidates[0]
    )


def _is_within(node_id: str, containers: set[str], claimed: Mapping[str, Claims]) -> bool:
    seen: set[str] = set()
    pending = [node_id]
    while pending:
        current = pending.pop()
        if current in seen or current not in claimed:
            continue
        seen.add(current)
        if containers.intersection(claimed[current]):
            return True
        pending.extend(claimed[current])
    return False
