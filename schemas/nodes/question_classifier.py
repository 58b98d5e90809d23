"""`question-classifier`: a model chooses the branch."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from pydantic import AliasChoices, BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.nodes.model import ModelConfig, NoMemory, Selector, Vision
from schemas.selectors import Reference, in_text, of


class ClassConfig(Tolerant):
    """One branch."""

    id: str
    """The handle of its edges."""
    name: Text = ""
    """What belongs to it, in words for the model; it may have `{{#..#}}` in it."""
    label: Text = ""
    """What people call it."""


class QuestionClassifierData(NodeData):
    """`data` of a question-classifier node."""

    query_variable_selector: Selector
    model: ModelConfig
    classes: list[ClassConfig]
    instruction: Text = Field(default="", validation_alias=AliasChoices("instruction", "instructions"))
    memory: NoMemory = None
    vision: Annotated[Vision, BeforeValidator(lambda value: value or {})] = Vision()

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("query_variable_selector", self.query_variable_selector)
        yield from self.model.references()
        for i, one in enumerate(self.classes):
            yield from in_text(f"classes.{i}.name", one.name)
        yield from in_text("instruction", self.instruction)
        yield from self.vision.references()

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        if not self.classes:
            yield "classes", "there are none to choose from"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        for name, times in Counter(one.id for one in self.classes).items():
            if times > 1:
                yield "classes", f"the id {name!r} is used {times} times: these classes are one branch"
        for i, one in enumerate(self.classes):
            if not one.name.strip():
                yield f"classes.{i}.name", "is empty: the model cannot tell what belongs to it"

    def handles(self) -> frozenset[str]:
        """See `NodeData.handles`."""
        return frozenset(one.id for one in self.classes)
