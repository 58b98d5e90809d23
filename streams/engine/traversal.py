"""Which nodes become ready when a node is left: edges are taken or skipped, joins wait for all of theirs."""

from collections.abc import Sequence

from streams.engine.definition import NodePlan
from streams.engine.frame import Frame, Join
from streams.engine.shapes import Edge

_SKIPPED = -1
_OPEN = -2


def leave(frame: Frame, plan: NodePlan, handle: str | None) -> list[tuple[NodePlan, str]]:
    """The nodes that can run now, in the order of the edges, each with the node that led there.

    A node runs when all of its incoming edges are decided and one of them at least is taken. One that no edge
    leads to is skipped, and so are its edges. What led to a join is the first taken edge in the order of the
    graph, so that it does not depend on which came last.
    """
    plans, edges = frame.scope.plans, frame.scope.edges
    route = plan.route(handle)
    ready = _skip(frame, route.skipped) if route.skipped else []
    for edge in route.taken:
        target = plans[edge.target]
        if target.incoming == 1:
            ready.append((target, plan.known_as))
        elif (led_by := _decide(frame, target, edge, taken=True)) != _OPEN:
            ready.append((target, plans[edges[led_by].source].known_as))
    return ready


def _skip(frame: Frame, skipped: Sequence[Edge]) -> list[tuple[NodePlan, str]]:
    """Those that can run since these edges are not taken: joins of which another edge was."""
    plans, edges = frame.scope.plans, frame.scope.edges
    ready: list[tuple[NodePlan, str]] = []
    undecided = list(skipped[::-1])
    while undecided:
        edge = undecided.pop()
        led_by = _decide(frame, plans[edge.target], edge, taken=False)
        if led_by == _SKIPPED:
            undecided.extend(reversed(plans[edge.target].nowhere.skipped))
        elif led_by != _OPEN:
            ready.append((plans[edge.target], plans[edges[led_by].source].known_as))
    return ready


def _decide(frame: Frame, target: NodePlan, edge: Edge, *, taken: bool) -> int:
    """Index of the edge that led to `target`, or _SKIPPED, or _OPEN while other edges are undecided."""
    if target.incoming == 1:
        return edge.number if taken else _SKIPPED
    undecided, led_by = frame.joins.pop(target.index, Join(target.incoming, _SKIPPED))
    if taken:
        led_by = edge.number if led_by == _SKIPPED else min(led_by, edge.number)
    if undecided > 1:
        frame.joins[target.index] = Join(undecided - 1, led_by)
        return _OPEN
    return led_by
