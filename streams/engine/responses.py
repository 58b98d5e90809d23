"""The outputs of a run: what its answer and end nodes gave, put together."""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.engine.definition import NodePlan
from streams.engine.pool import Pool

_INSIDE = "#responses/"
"""Before the id of a container: the name under which a frame keeps what answer and end nodes in it gave."""


def responses_name(container_id: str) -> str:
    """No node id: it starts with #."""
    return _INSIDE + container_id


def merged_outputs(responses: Iterable[NodePlan], values: Pool) -> dict[str, Any]:
    """As in Dify: answers are joined, of other outputs the last one counts.

    The order is that of the graph and not of completion, which with parallel branches is chance.
    """
    outputs: dict[str, Any] = {}
    for plan in responses:
        name = plan.id if plan.inner is None else responses_name(plan.id)
        merge(outputs, values.get(name, {}))
    return outputs


def merge(outputs: dict[str, Any], later: Mapping[str, Any]) -> None:
    """Adds what a later node gave."""
    for name, value in later.items():
        before = outputs.get(name) if name == "answer" else None
        outputs[name] = f"{before}{value}" if before else value
