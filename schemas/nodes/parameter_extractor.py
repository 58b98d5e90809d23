"""`parameter-extractor`: a model reads values of given types out of a text."""

from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant
from schemas.nodes.model import ModelConfig, NoMemory, Selector, Vision
from schemas.selectors import Reference, in_text, of

RESERVED = frozenset({"__is_success", "__reason", "__usage"})
"""Outputs of the node besides its parameters."""

_LEGACY_TYPES = {"bool": "boolean", "select": "string"}

ParameterType = Annotated[
    Literal[
        "string", "number", "boolean", "array[string]", "array[number]", "array[object]", "array[boolean]"
    ],
    BeforeValidator(lambda value: _LEGACY_TYPES.get(value, value) if isinstance(value, str) else value),
]


class Parameter(Tolerant):
    """One value that is looked for."""

    name: str = Field(min_length=1)
    type: ParameterType
    options: list[str] | None = None
    """Of a string: what it may be."""
    description: Text = ""
    required: bool = False

    @property
    def element_type(self) -> str | None:
        """Of an array."""
        return self.type[6:-1] if self.type.startswith("array[") else None

    def json_schema(self) -> dict[str, Any]:
        """Its part of the schema that the model is told."""
        schema: dict[str, Any] = {"description": self.description}
        if self.element_type:
            schema |= {"type": "array", "items": {"type": self.element_type}}
        else:
            schema["type"] = self.type
        return {**schema, "enum": self.options} if self.options else schema


class ParameterExtractorData(NodeData):
    """`data` of a parameter-extractor node."""

    model: ModelConfig
    query: Selector = Field(validation_alias=AliasChoices("query", "query_variable_selector"))
    parameters: list[Parameter]
    instruction: Text = ""
    memory: NoMemory = None
    reasoning_mode: Annotated[
        Literal["function_call", "prompt"], BeforeValidator(lambda value: value or "function_call")
    ] = "function_call"
    vision: Annotated[Vision, BeforeValidator(lambda value: value or {})] = Vision()

    def references(self) -> Iterator[Reference]:
        """See `NodeData.references`."""
        yield from of("query", self.query)
        yield from self.model.references()
        yield from in_text("instruction", self.instruction)
        yield from self.vision.references()

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for one in self.parameters:
            if one.name in RESERVED:
                yield "parameters", f"the name {one.name!r} is reserved"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        for name, times in Counter(one.name for one in self.parameters).items():
            if times > 1:
                yield "parameters", f"the name {name!r} is used {times} times: the node will say so"
        if not self.parameters:
            yield "parameters", "there is nothing to look for"
        if not self.query:
            yield "query", "no variable is chosen: there is nothing to look at"
        for i, one in enumerate(self.parameters):
            if not one.description.strip():
                yield f"parameters.{i}.description", "is empty: the model has only the name to go by"
