"""iteration: the nodes inside, once for each element of a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from schemas.nodes.iteration import IterationData
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Closed, Opened
from streams.engine.pool import MISSING, Getter, Pool, getter, or_none

_TERMINATED = "terminated"
_REMOVE = "remove-abnormal-output"


@dataclass(frozen=True, slots=True)
class IterationNode:
    """Its output is `output`: what the rounds gave, in the order of the elements."""

    kind: ClassVar[str] = "iteration"
    has_items: ClassVar[bool] = True
    shares_writes: ClassVar[bool] = False

    items: Getter
    name: str
    """Of the list."""
    output: Getter
    parallel: int
    is_parallel: bool
    on_error: str
    flatten: bool

    def open(self, pool: Pool) -> Opened:
        """See `ContainerNode.open`. Null is an empty list."""
        items = self.items(pool)
        if items is MISSING:
            raise NodeFailure(f"variable {self.name} not found", "WorkflowNodeError")
        if items is not None and type(items) is not list:
            kind = type(items).__name__
            raise NodeFailure(f"{self.name} must be a list to iterate over, is {kind}", "WorkflowNodeError")
        return Opened({"iterator_selector": items or []}, len(items or []), items or [])

    def is_over(self, pool: Pool) -> bool:
        """See `ContainerNode.is_over`. Never before the list is."""
        return False

    def close(self, pool: Pool, error: str | None) -> Closed:
        """See `ContainerNode.close`."""
        if error is None:
            return Closed(or_none(self.output(pool)))
        return Closed(
            None, kept=self.on_error not in (_TERMINATED, _REMOVE), fails=self.on_error == _TERMINATED
        )

    def outputs(self, results: Sequence[Any], pool: Pool) -> Mapping[str, Any]:
        """See `ContainerNode.outputs`."""
        return {"output": _flat(results) if self.flatten else list(results)}

    def metadata(self, results: Sequence[Any]) -> Mapping[str, Any]:
        """See `ContainerNode.metadata`."""
        return {}


def compile_iteration(_node_id: str, data: IterationData) -> IterationNode:
    """The selectors, compiled."""
    return IterationNode(
        items=getter(data.iterator_selector),
        name=".".join(data.iterator_selector),
        output=getter(data.output_selector),
        parallel=data.parallel_nums if data.is_parallel else 1,
        is_parallel=data.is_parallel,
        on_error=data.error_handle_mode,
        flatten=data.flatten_output,
    )


def _flat(results: Sequence[Any]) -> list[Any]:
    """As in Dify: lists are joined where there is nothing but lists and nulls."""
    lists = [result for result in results if result is not None]
    if not lists or not all(type(result) is list for result in lists):
        return list(results)
    return [item for result in lists for item in result]
