"""`end`: the outputs of a workflow."""

from collections.abc import Iterator

from pydantic import Field

from schemas.nodes.base import NodeData, VariableSelector
from schemas.selectors import Reference, of


class EndData(NodeData):
    """`data` of an end node."""

    outputs: list[VariableSelector] = Field(default_factory=list)

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for i, output in enumerate(self.outputs):
            yield from of(f"outputs.{i}.value_selector", output.value_selector)
