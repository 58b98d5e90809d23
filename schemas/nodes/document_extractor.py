"""`document-extractor`: the text of a file, or of each file of a list."""

from collections.abc import Iterator

from pydantic import Field

from schemas.nodes.base import NodeData
from schemas.selectors import MIN_SELECTOR_LENGTH, Reference, of


class DocumentExtractorData(NodeData):
    """`data` of a document-extractor node."""

    variable_selector: list[str] = Field(default_factory=list)

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("variable_selector", self.variable_selector)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if len(self.variable_selector) < MIN_SELECTOR_LENGTH:
            yield "variable_selector", "no variable is chosen"
