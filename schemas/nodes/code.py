"""`code`: a function `main` of the variables, whose dict of results is checked against declared types."""

import ast
import warnings
from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from schemas import javascript
from schemas.nodes.base import NodeData, Tolerant, VariableSelector
from schemas.selectors import Reference, of

OutputType = Literal[
    "string", "number", "boolean", "object",
    "array[string]", "array[number]", "array[boolean]", "array[object]",
]  # fmt: skip


class CodeOutput(Tolerant):
    """The declared type of one result, and of the members of an object."""

    type: OutputType
    children: dict[str, "CodeOutput"] | None = None


_MOST_PARSED_CHARS = 200_000
"""Of a script in Python. Parsing takes up to 10 µs and 600 bytes for each; what is wrong with a larger one is
told when it runs, in a process that has its limits."""


class CodeData(NodeData):
    """`data` of a code node."""

    code: str
    code_language: Literal["python3", "javascript"]
    variables: list[VariableSelector] = Field(default_factory=list)
    outputs: dict[str, CodeOutput] = Field(default_factory=dict)

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for i, variable in enumerate(self.variables):
            yield from of(f"variables.{i}.value_selector", variable.value_selector)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if self.code_language == "javascript":
            yield from (("code", fault) for fault in javascript.faults(self.code))
            return
        if len(self.code) <= _MOST_PARSED_CHARS:
            yield from self._python_faults()

    def _python_faults(self) -> Iterator[tuple[str, str]]:
        try:
            module = _parsed(self.code)
        except SyntaxError as wrong:
            yield "code", f"does not compile, line {wrong.lineno}: {wrong.msg}"
        except (ValueError, RecursionError, MemoryError) as wrong:
            yield "code", f"does not compile: {wrong}"
        else:
            if not any(_binds_main(statement) for statement in module.body):
                yield "code", "has no function main"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        if self.code_language == "javascript" or len(self.code) > _MOST_PARSED_CHARS:
            return
        if any(True for _ in self.faults()):
            return
        for statement in _parsed(self.code).body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "main":
                yield from self._unexpected(statement.args)

    def _unexpected(self, args: ast.arguments) -> Iterator[tuple[str, str]]:
        accepted = {argument.arg for argument in (*args.args, *args.kwonlyargs)}
        for variable in self.variables:
            if variable.variable not in accepted and args.kwarg is None:
                yield "variables", f"main has no parameter {variable.variable!r}"


def _parsed(code: str) -> ast.Module:
    with warnings.catch_warnings():
        # An invalid escape in the user's string is the user's to see, not a warning of this process.
        warnings.simplefilter("ignore")
        return ast.parse(code)


def _binds_main(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        return statement.name == "main"
    if isinstance(statement, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "main" for target in statement.targets)
    return isinstance(statement, ast.ImportFrom | ast.Import) and any(
        (name.asname or name.name) == "main" for name in statement.names
    )
