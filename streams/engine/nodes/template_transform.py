"""template-transform: a sandboxed Jinja2 template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.nodes.template_transform import TemplateTransformData
from schemas.sharing import same
from schemas.template import compile_template
from schemas.work_budget import TooMuchWork
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome
from streams.engine.pool import Getter, Pool, getter, or_none


@dataclass(frozen=True, slots=True)
class TemplateTransformNode:
    """Its output is `output`."""

    variables: tuple[tuple[str, Getter], ...]
    render: Callable[[Mapping[str, Any]], str]

    def run(self, pool: Pool) -> Outcome:
        """See `PureNode.run`."""
        inputs = {name: or_none(get(pool)) for name, get in self.variables}
        try:
            output = self.render(inputs)
        except TooMuchWork as limit:
            raise NodeFailure(str(limit), "TemplateLimit", inputs) from limit
        except Exception as wrong:  # a template can raise whatever the methods that it calls raise
            raise NodeFailure(f"{type(wrong).__name__}: {wrong}", "TemplateError", inputs) from wrong
        return Outcome(inputs, {"output": output})


def compile_template_transform(data: TemplateTransformData) -> TemplateTransformNode:
    """The template, compiled to Python once."""
    variables = tuple((entry.variable, getter(entry.value_selector)) for entry in data.variables)
    return TemplateTransformNode(same(variables), compile_template(data.template))
