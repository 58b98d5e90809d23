"""`assigner`: changes variables of the conversation, of a loop, or of nodes that have run.

Version 1 has one assignment, version 2 a list of operations.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.nodes.base import NodeData, Tolerant
from schemas.selectors import MIN_SELECTOR_LENGTH, Reference, of

Operation = Literal[
    "over-write", "clear", "append", "extend", "set", "+=", "-=", "*=", "/=", "remove-first", "remove-last",
]  # fmt: skip

WITHOUT_VALUE = frozenset({"clear", "remove-first", "remove-last"})

READ_ONLY = frozenset({"sys", "env"})
"""Namespaces that nothing can be assigned in."""


class OperationItem(Tolerant):
    """One operation of version 2."""

    variable_selector: list[str]
    """The target."""
    input_type: Literal["variable", "constant"]
    operation: Operation
    value: Any = None
    """A constant, or the selector of a variable."""

    @property
    def source(self) -> list[str] | None:
        """The selector of the value; None where there is no value or it is a constant."""
        if (
            self.operation in WITHOUT_VALUE
            or self.input_type == "constant"
            or not isinstance(self.value, list)
        ):
            return None
        return [str(element) for element in self.value]


class AssignerData(NodeData):
    """`data` of an assigner node of either version."""

    version: str = "1"
    assigned_variable_selector: list[str] = Field(default_factory=list)
    write_mode: Literal["over-write", "append", "clear"] = "over-write"
    input_variable_selector: list[str] = Field(default_factory=list)
    items: list[OperationItem] | None = None
    target_types: dict[str, str] = Field(default_factory=dict)
    """Dotted selector of a target -> its declared type. Not from the editor: the engine adds it."""

    @model_validator(mode="before")
    @classmethod
    def _one_version(cls, value: Any) -> Any:
        """Version 2 has items, if only none; what other versions have of them does not count."""
        if not isinstance(value, dict):
            return value
        if str(value.get("version", "")).removeprefix("v") == "2":
            return {**value, "items": value.get("items") or []}
        return {**value, "items": None} if value.get("assigned_variable_selector") else value

    def targets(self) -> Iterator[tuple[str, list[str]]]:
        """(field, selector) of every variable that it changes."""
        if self.items is None:
            yield "assigned_variable_selector", self.assigned_variable_selector
            return
        for i, item in enumerate(self.items):
            yield f"items.{i}.variable_selector", item.variable_selector

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`. The targets are among them: most operations read what was there."""
        for field, selector in self.targets():
            yield from of(field, selector)
        if self.items is None:
            yield from of("input_variable_selector", self.input_variable_selector)
        for i, item in enumerate(self.items or ()):
            yield from of(f"items.{i}.value", item.source or ())

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for field, selector in self.targets():
            if len(selector) < MIN_SELECTOR_LENGTH:
                yield field, "must name the variable to change"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        for field, selector in self.targets():
            if selector and selector[0] in READ_ONLY:
                yield field, f"{'.'.join(selector)} cannot be changed: the node will fail"
