"""`template-transform`: a Jinja2 template over named variables."""

from collections.abc import Iterator

from pydantic import Field

from schemas.jinja import syntax_error
from schemas.nodes.base import NodeData, VariableSelector
from schemas.selectors import Reference, of


class TemplateTransformData(NodeData):
    """`data` of a template-transform node."""

    template: str
    variables: list[VariableSelector] = Field(default_factory=list)

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for i, variable in enumerate(self.variables):
            yield from of(f"variables.{i}.value_selector", variable.value_selector)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        wrong = syntax_error(self.template)
        if wrong:
            yield "template", wrong
