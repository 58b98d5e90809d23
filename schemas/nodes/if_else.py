"""`if-else`: cases of conditions, the first that holds is taken."""

from collections.abc import Iterator
from typing import Annotated, Literal, get_args

from pydantic import Field

from schemas.nodes.base import NUMBER_AS_TEXT, NodeData, Tolerant
from schemas.selectors import Reference, in_text, of

Operator = Literal[
    "contains", "not contains", "start with", "end with", "is", "is not", "empty", "not empty",
    "in", "not in", "all of", "=", "≠", ">", "<", "≥", "≤", "null", "not null", "exists", "not exists",
]  # fmt: skip

OPERATORS: tuple[str, ...] = get_args(Operator)

ELSE = "false"
"""The handle of what is left when no case holds."""


Expected = Annotated[str | list[str] | list[bool] | bool | None, NUMBER_AS_TEXT]


class SubCondition(Tolerant):
    """A condition on an attribute of the files in a list."""

    key: Literal["type", "size", "name", "mime_type", "transfer_method", "url", "extension", "related_id"]
    comparison_operator: Operator
    value: Expected = None


class SubVariableCondition(Tolerant):
    """Conditions on the files in a list."""

    logical_operator: Literal["and", "or"] = "and"
    conditions: list[SubCondition] = Field(default_factory=list)


class Condition(Tolerant):
    """A variable, an operator, a value; a text may have `{{#..#}}` in it."""

    variable_selector: list[str] = Field(min_length=2)
    comparison_operator: Operator
    value: Expected = None
    sub_variable_condition: SubVariableCondition | None = None


class Case(Tolerant):
    """One branch."""

    case_id: str
    logical_operator: Literal["and", "or"] = "and"
    conditions: list[Condition] = Field(default_factory=list)


class IfElseData(NodeData):
    """`data` of an if-else node. Before DSL 0.1.3 it had one unnamed case."""

    cases: list[Case] | None = None
    conditions: list[Condition] | None = None
    logical_operator: Literal["and", "or"] | None = None

    def all_cases(self) -> list[Case]:
        """The cases; the old form is one case `true`."""
        if self.cases is not None:
            return self.cases
        return [
            Case(
                case_id="true",
                logical_operator=self.logical_operator or "and",
                conditions=self.conditions or [],
            )
        ]

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        for c, case in enumerate(self.all_cases()):
            place = "conditions" if self.cases is None else f"cases.{c}.conditions"
            for i, condition in enumerate(case.conditions):
                yield from of(f"{place}.{i}.variable_selector", condition.variable_selector)
                if isinstance(condition.value, str):
                    yield from in_text(f"{place}.{i}.value", condition.value)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        ids = [case.case_id for case in self.all_cases()]
        if len(set(ids)) < len(ids):
            yield "cases", f"case ids are not unique: {', '.join(ids)}"

    def handles(self) -> frozenset[str]:
        """See `NodeData.handles`."""
        return frozenset({case.case_id for case in self.all_cases()} | {ELSE})
