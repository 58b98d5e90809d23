"""`iteration`: a part of the graph, once for each element of a list."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text
from schemas.selectors import Reference, of

ErrorHandleMode = Literal["terminated", "continue-on-error", "remove-abnormal-output"]

Selector = Annotated[list[str], BeforeValidator(lambda value: [] if value is None else value)]
"""One that the editor may write as null."""


class IterationData(NodeData):
    """`data` of an iteration node."""

    start_node_id: Text = ""
    """The node inside that each round begins with. Empty in old files: it is the only one of its type."""
    iterator_selector: list[str] = Field(min_length=2)
    output_selector: Selector = Field(default_factory=list)
    """What a round contributes to the output; null where it leads nowhere."""
    is_parallel: bool = False
    parallel_nums: int = Field(default=10, ge=1)
    """Rounds under way at the same time."""
    error_handle_mode: ErrorHandleMode = "terminated"
    flatten_output: bool = True
    """Join the outputs of the rounds if each of them is a list."""

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("iterator_selector", self.iterator_selector)
        yield from of("output_selector", self.output_selector)

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if len(self.output_selector) < 2:
            yield "output_selector", "is not set: the output is a list of nulls"


class IterationStartData(NodeData):
    """`data` of an iteration-start node: where a round begins."""
