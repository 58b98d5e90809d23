"""`template-transform`: a Jinja2 template over named variables."""

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import TemplateSyntaxError
from pydantic import Field

from schemas.jinja import SyntaxEnvironment
from schemas.nodes.base import NodeData, VariableSelector
from schemas.selectors import Reference, of

_SYNTAX = SyntaxEnvironment()


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
        wrong = _syntax_error(self.template)
        if wrong:
            yield "template", wrong


@lru_cache(maxsize=10_000)
def _syntax_error(template: str) -> str | None:
    try:
        _SYNTAX.compile(template)
    except TemplateSyntaxError as wrong:
        return f"line {wrong.lineno}: {wrong.message}"
    except (RecursionError, MemoryError, SyntaxError) as wrong:
        # Jinja2 compiles to Python, which has limits of its own.
        return f"cannot be compiled: {wrong}"
    return None
