"""A form as the JSON Schema of a tool's arguments: for a workflow that is called as a tool."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.nodes.start import InputType, InputVariable

_SCHEMAS: Mapping[InputType, Mapping[str, Any]] = {
    InputType.TEXT_INPUT: {"type": "string"},
    InputType.PARAGRAPH: {"type": "string"},
    InputType.URL: {"type": "string"},
    InputType.SELECT: {"type": "string"},
    InputType.NUMBER: {"type": "number"},
    InputType.CHECKBOX: {"type": "boolean"},
    InputType.JSON_OBJECT: {"type": "object"},
    InputType.OBJECT: {"type": "object"},
    InputType.FILE: {"type": "object"},
    InputType.FILE_LIST: {"type": "array"},
    InputType.EXTERNAL_DATA_TOOL: {},
}
"""What the start node says beyond the type (lengths, kinds of files) is its own business."""


def form_schema(form: Iterable[InputVariable]) -> dict[str, Any]:
    """The schema of an object with a member for each field."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in form:
        schema = dict(_SCHEMAS[field.type])
        if field.label and field.label != field.variable:
            schema["description"] = field.label
        if field.type is InputType.SELECT and field.required:
            schema["enum"] = field.options
        properties[field.variable] = schema
        if field.required:
            required.append(field.variable)
    return {"type": "object", "properties": properties, "required": required}
