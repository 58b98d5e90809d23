"""How templates of others are compiled: without evaluating anything of them while doing so.

Jinja2 folds constants, so that compiling `{{ 'x'|center(10**9) }}` alone would take a gigabyte.
"""

from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.sandbox import SandboxedEnvironment


class UnfoldedCode(CodeGenerator):
    """Leaves every expression to the time at which the template runs."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Any, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class SyntaxEnvironment(SandboxedEnvironment):
    """Compiles, and is not for rendering."""

    code_generator_class = UnfoldedCode

    def __init__(self) -> None:
        super().__init__(optimized=False)
