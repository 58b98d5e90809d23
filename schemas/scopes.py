"""What a node can know: nodes that ran before it, in its own container or in those around."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Protocol

from schemas.errors import Problem
from schemas.selectors import Reference
from schemas.topology import Adjacency, reachable


class Node(Protocol):
    """What is looked at of a node; `owner` is the container that it is directly inside, "" for none."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...


def scope_remarks(
    nodes: Mapping[str, Node], edges: Adjacency, references: Mapping[str, Sequence[Reference]]
) -> Iterator[Problem]:
    """References to nodes of the graph that lead to nothing, whatever the run does.

    Dify lets them pass: the variable does not exist then. A container may read what is inside it.
    """

    @cache
    def after(node_id: str) -> set[str]:
        return reachable(edges, edges[node_id])

    for node_id, found in references.items():
        around = _around(node_id, nodes)
        for field, selector in found:
            read = nodes.get(selector[0])
            if read is None or read.id in around:
                continue
            if read.owner not in (*around, ""):
                inside = f"is inside {read.owner}, which this node is not"
                yield Problem(node_id, field, f"refers to {'.'.join(selector)}, but {read.id} {inside}")
            elif read.owner != node_id and not _beside(read, around, nodes) & after(read.id):
                yield Problem(
                    node_id, field, f"refers to {'.'.join(selector)}, but {read.id} runs no earlier"
                )


def _beside(read: Node, around: Sequence[str], nodes: Mapping[str, Node]) -> set[str]:
    """The node, or the container around it, that is in the same container as what it reads."""
    return {node_id for node_id in around if nodes[node_id].owner == read.owner}


def _around(node_id: str, nodes: Mapping[str, Node]) -> list[str]:
    """The node and the containers around it, from the inside."""
    found = [node_id]
    while (owner := nodes[node_id].owner) in nodes and owner not in found:
        found.append(owner)
        node_id = owner
    return found
