"""How templates of others are compiled: without evaluating anything of them while doing so.

Jinja2 folds constants, so that compiling `{{ 'x'|center(10**9) }}` alone would take a gigabyte.
"""

import hashlib
from itertools import islice
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.compiler import CodeGenerator
from jinja2.sandbox import SandboxedEnvironment

from schemas.simple_template import read_simple

MAX_TOKENS = 50_000
"""Names, signs and texts of a template: compiling takes some 30 µs and 3 KB for each."""


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


_SYNTAX = SyntaxEnvironment()
_FOUND: dict[bytes, str | None] = {}
_MOST_FOUND = 10_000


def check_size(environment: Environment, source: str) -> None:
    """Before a template is parsed. Raises `TemplateSyntaxError` for one that is too large to be compiled."""
    if len(source) > MAX_TOKENS and any(islice(environment.lex(source), MAX_TOKENS, None)):
        raise TemplateSyntaxError(f"the template has more than {MAX_TOKENS} names, signs and texts", 1)


def syntax_error(template: str) -> str | None:
    """Why Jinja2 refuses the template; None for one that it takes."""
    if read_simple(template) is not None:
        return None
    # By a digest: templates are large, and each draft that is saved may have others.
    digest = hashlib.sha256(template.encode(errors="surrogatepass")).digest()
    if digest in _FOUND:
        return _FOUND[digest]
    if len(_FOUND) >= _MOST_FOUND:
        _FOUND.clear()
    found = _FOUND[digest] = _syntax_error(template)
    return found


def _syntax_error(template: str) -> str | None:
    try:
        check_size(_SYNTAX, template)
        _SYNTAX.compile(template)
    except TemplateSyntaxError as wrong:
        return f"line {wrong.lineno}: {wrong.message}"
    except (RecursionError, MemoryError, SyntaxError, ValueError) as wrong:
        # Jinja2 compiles to Python, which has limits of its own, one on the digits of a number too.
        return f"cannot be compiled: {wrong}"
    return None
