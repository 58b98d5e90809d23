"""`start`: the form of a run's inputs."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import orjson
from jsonschema import Draft7Validator, SchemaError
from pydantic import BeforeValidator, Field

from schemas.nodes.base import NodeData, Text, Tolerant


class InputType(StrEnum):
    """The types of a form field."""

    TEXT_INPUT = "text-input"
    PARAGRAPH = "paragraph"
    SELECT = "select"
    NUMBER = "number"
    CHECKBOX = "checkbox"
    JSON_OBJECT = "json_object"
    OBJECT = "object"
    FILE = "file"
    FILE_LIST = "file-list"


def _schema(value: Any) -> Any:
    """The editor stores the schema as the text that was typed."""
    if isinstance(value, str):
        try:
            return orjson.loads(value) if value.strip() else None
        except orjson.JSONDecodeError as wrong:
            raise ValueError(f"is not JSON: {wrong}") from wrong
    return value


class InputVariable(Tolerant):
    """One field of the form."""

    variable: str = Field(min_length=1)
    label: Text = ""
    type: InputType
    required: bool = False
    default: Any = None
    max_length: int | None = Field(default=None, ge=0)
    """Characters, or files; None and 0 are no limit. Numbers have none."""
    options: Annotated[list[str], BeforeValidator(lambda value: value or [])] = Field(default_factory=list)
    json_schema: Annotated[dict[str, Any] | None, BeforeValidator(_schema)] = None


class StartData(NodeData):
    """`data` of a start node."""

    variables: list[InputVariable] = Field(default_factory=list)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for i, variable in enumerate(self.variables):
            try:
                Draft7Validator.check_schema(variable.json_schema or {})
            except SchemaError as wrong:
                yield f"variables.{i}.json_schema", f"is no JSON Schema (draft 7): {wrong.message}"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        names = [variable.variable for variable in self.variables]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield "variables", f"{name!r} is there several times, the last one counts"
