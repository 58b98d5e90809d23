"""`start`: the form of a run's inputs."""

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field

from schemas.draft7 import schema_error, schema_misfit
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
    URL = "url"
    EXTERNAL_DATA_TOOL = "external_data_tool"
    """Filled by an extension of Dify before the run; here by whoever starts it."""


_FILES = (InputType.FILE, InputType.FILE_LIST)

Names = Annotated[list[str], BeforeValidator(lambda value: value or [])]
"""A list that the editor may write as null."""


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
    options: Names = Field(default_factory=list)
    allowed_file_types: Names = Field(default_factory=list)
    """image, document, audio, video; custom: those of `allowed_file_extensions`. Empty: any."""
    allowed_file_extensions: Names = Field(default_factory=list)
    allowed_file_upload_methods: Names = Field(default_factory=list)
    """local_file, remote_url. Empty: any."""
    json_schema: Annotated[dict[str, Any] | None, BeforeValidator(_schema)] = None


class StartData(NodeData):
    """`data` of a start node."""

    variables: list[InputVariable] = Field(default_factory=list)

    def faults(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.faults`."""
        for i, variable in enumerate(self.variables):
            with suppress(ValueError):  # it runs, where values are not that deep
                if variable.json_schema and (wrong := schema_misfit(variable.json_schema)):
                    yield f"variables.{i}.json_schema", f"is no JSON Schema (draft 7): {wrong}"

    def remarks(self) -> Iterator[tuple[str, str]]:
        """See `NodeData.remarks`."""
        names = [variable.variable for variable in self.variables]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield "variables", f"{name!r} is there several times, the last one counts"
        for i, variable in enumerate(self.variables):
            if variable.json_schema is not None and (wrong := schema_error(variable.json_schema)):
                yield f"variables.{i}.json_schema", f"the node will fail: {wrong}"
            for why in _doubts(variable):
                yield f"variables.{i}", f"{variable.variable!r} {why}"


def _doubts(field: InputVariable) -> Iterator[str]:
    if field.type is InputType.SELECT and not field.options:
        yield "is a select without options: nothing can be chosen"
    if field.type is InputType.SELECT and field.default and field.default not in field.options:
        yield f"has the default {field.default!r}, which is none of its options"
    if field.type in _FILES and "custom" in field.allowed_file_types and not field.allowed_file_extensions:
        yield "admits custom files but names no extension"
