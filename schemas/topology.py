"""Questions about a directed graph given as node -> targets. None of them recurses."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

Adjacency = Mapping[str, Sequence[str]]


def reachable(graph: Adjacency, roots: Iterable[str]) -> set[str]:
    """The roots and all that can be reached from them."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for target in graph[stack.pop()]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def order(graph: Adjacency) -> list[str]:
    """The nodes in the order in which they could run, roots first (Kahn).

    Nodes on a cycle, and those behind one, are missing.
    """
    undecided = dict.fromkeys(graph, 0)
    for targets in graph.values():
        for target in targets:
            undecided[target] += 1
    ready = deque(node for node, edges in undecided.items() if not edges)
    ordered: list[str] = []
    while ready:
        node = ready.popleft()
        ordered.append(node)
        for target in graph[node]:
            undecided[target] -= 1
            if not undecided[target]:
                ready.append(target)
    return ordered


def cycle(graph: Adjacency) -> list[str]:
    """The nodes of one cycle, in its order; empty if there is none."""
    left = set(graph) - set(order(graph))
    # Nodes that are merely behind a cycle are left as well. Following edges backwards leads into it.
    before: dict[str, str] = {}
    for node in graph:
        if node in left:
            before.update({target: node for target in graph[node] if target in left})
    if not left:
        return []
    node = min(left)
    path: dict[str, None] = {}
    while node not in path:
        path[node] = None
        node = before[node]
    nodes = list(path)
    return nodes[nodes.index(node) :][::-1]
