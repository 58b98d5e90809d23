"""`loop`: a part of the graph, again and again until a condition holds."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.nodes.if_else import Condition
from schemas.selectors import Reference, in_text, of
from schemas.variables import ValueType, coerce


class LoopVariable(Tolerant):
    """A variable that is kept from round to round, and what it begins with."""

    label: str
    """Its name; it belongs to the loop node."""
    var_type: Literal[
        ValueType.STRING, ValueType.NUMBER, ValueType.OBJECT, ValueType.BOOLEAN,
        ValueType.ARRAY_STRING, ValueType.ARRAY_NUMBER, ValueType.ARRAY_OBJECT, ValueType.ARRAY_BOOLEAN,
    ]  # fmt: skip
    value_type: Literal["variable", "constant"]
    value: Any = None
    """A selector, or the value itself, which the editor keeps as text."""


Conditions = Annotated[list[Condition], BeforeValidator(lambda value: [] if value is None else value)]


class LoopData(NodeData):
    """`data` of a loop node."""

    start_node_id: Text = ""
    """The node inside that each round begins with. Empty in old files: it is the only one of its type."""
    loop_count: int = Field(ge=1)
    """The most rounds."""
    break_conditions: Conditions = Field(default_factory=list)
    """Looked at before the first and after each round."""
    logical_operator: Literal["and", "or"] = "and"
    loop_variables: list[LoopVariable] = Field(default_factory=list)

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for i, variable in enumerate(self.loop_variables):
            if variable.value_type == "variable" and isinstance(variable.value, list):
                yield from of(f"loop_variables.{i}.value", variable.value)
        for i, condition in enumerate(self.break_conditions):
            yield from of(f"break_conditions.{i}.variable_selector", condition.variable_selector)
            if isinstance(condition.value, str):
                yield from in_text(f"break_conditions.{i}.value", condition.value)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for i, variable in enumerate(self.loop_variables):
            if why := _fault(variable):
                yield f"loop_variables.{i}.value", why


class LoopStartData(NodeData):
    """`data` of a loop-start node: where a round begins."""


class LoopEndData(NodeData):
    """`data` of a loop-end node: the round that reaches it is the last."""


def _fault(variable: LoopVariable) -> str | None:
    if variable.value_type == "variable":
        is_selector = isinstance(variable.value, list) and len(variable.value) >= 2
        return None if is_selector else f"{variable.label} must be a selector"
    try:
        coerce(variable.var_type, variable.value)
    except ValueError as wrong:
        return f"{variable.label} {wrong}"
    return None
