"""The outputs of a run: what its answer and end nodes gave, put together."""

from collections.abc import Iterable
from typing import Any

from streams.engine.definition import NodePlan
from streams.engine.pool import Pool


def merged_outputs(responses: Iterable[NodePlan], values: Pool) -> dict[str, Any]:
    """As in Dify: answers are joined, of other outputs the last one counts.

    The order is that of the graph and not of completion, which with parallel branches is chance.
    """
    outputs: dict[str, Any] = {}
    for plan in responses:
        for name, value in values.get(plan.id, {}).items():
            before = outputs.get(name) if name == "answer" else None
            outputs[name] = f"{before}{value}" if before else value
    return outputs
