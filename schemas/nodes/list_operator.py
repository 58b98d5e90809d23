"""`list-operator`: picks items of a list by conditions, position, order and number."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from schemas.nodes.base import NUMBER_AS_TEXT, NodeData, Text, Tolerant
from schemas.selectors import Reference, in_text, of

FilterOperator = Literal[
    "contains", "not contains", "start with", "end with", "is", "is not", "in", "not in",
    "empty", "not empty", "=", "≠", "<", ">", "≥", "≤",
]  # fmt: skip


class FilterCondition(Tolerant):
    """What an item, or an attribute of a file, is held against. A text may have `{{#..#}}` in it."""

    key: Text = ""
    """The attribute, where the items are files."""
    comparison_operator: FilterOperator = "contains"
    value: Annotated[str | list[str] | bool, NUMBER_AS_TEXT] = ""


class FilterBy(Tolerant):
    """Items for which every condition holds are kept."""

    enabled: bool = False
    conditions: list[FilterCondition] = Field(default_factory=list)


class ExtractBy(Tolerant):
    """One item is kept, by its position."""

    enabled: bool = False
    serial: str = "1"
    """From 1; may have `{{#..#}}` in it."""


class OrderBy(Tolerant):
    """Items are sorted, files by an attribute."""

    enabled: bool = False
    key: Text = ""
    value: Annotated[Literal["asc", "desc"], BeforeValidator(lambda value: value or "asc")] = "asc"


class Limit(Tolerant):
    """The first items are kept."""

    enabled: bool = False
    size: int = -1
    """As in a Python slice: -1 leaves the last one out."""


class ListOperatorData(NodeData):
    """`data` of a list-operator node. The four steps are taken in this order."""

    variable: list[str] = Field(default_factory=list)
    filter_by: FilterBy = FilterBy()
    extract_by: ExtractBy = ExtractBy()
    order_by: OrderBy = OrderBy()
    limit: Limit = Limit()

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("variable", self.variable)
        for i, condition in enumerate(self.filter_by.conditions if self.filter_by.enabled else ()):
            if isinstance(condition.value, str):
                yield from in_text(f"filter_by.conditions.{i}.value", condition.value)
        if self.extract_by.enabled:
            yield from in_text("extract_by.serial", self.extract_by.serial)
