"""One operation of an API, as a tool: what it takes, and where each argument goes in the request."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from schemas.openapi.references import References

Json = Mapping[str, Any]
Place = Literal["path", "query", "header", "cookie"]

WHOLE_BODY = "body"
"""Name of the argument that is the body itself, where the body is no object with named members."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One `parameters` entry, with its defaults put in."""

    name: str
    place: Place
    schema: Json
    required: bool
    style: str
    explode: bool
    as_json: bool
    """It is declared by `content`, so its value travels as JSON."""
    description: str = ""


@dataclass(frozen=True)
class Body:
    """`requestBody`, in the one media type that is sent."""

    media_type: str
    raw_schema: Any
    """As in the document, checked."""
    references: References
    required: bool

    @cached_property
    def schema(self) -> Json:
        """Made when it is asked for: an API may have a thousand operations, of which a workflow calls one."""
        return self.references.schema(self.raw_schema)

    @property
    def properties(self) -> Mapping[str, Json]:
        """Members that are arguments of their own; empty where the body is one argument."""
        found: Mapping[str, Json] = self.schema.get("properties") or {}
        return found

    @property
    def is_form(self) -> bool:
        """Whether it travels as fields rather than as JSON or text."""
        return self.media_type in ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class HttpTool:
    """An operation. Its name is the `operationId`."""

    name: str
    method: str
    """In capitals."""
    path: str
    """With `{name}` in the place of path parameters."""
    server: str
    """What the path is appended to; empty where the document names none."""
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None

    def arguments(self) -> dict[str, Any]:
        """All that it takes, as one JSON Schema of an object.

        A parameter and a member of the body that share a name are one argument, as in Dify.
        """
        properties: dict[str, Any] = {}
        required: list[str] = []
        for name, schema, needed in self._arguments():
            properties.setdefault(name, schema)
            if needed and name not in required:
                required.append(name)
        return {"type": "object", "properties": properties, "required": required}

    def _arguments(self) -> list[tuple[str, Json, bool]]:
        found = [(p.name, _described(p.schema, p.description), p.required) for p in self.parameters]
        if self.body is None:
            return found
        if not self.body.properties:
            return [*found, (WHOLE_BODY, self.body.schema, self.body.required)]
        needed = self.body.schema.get("required") or ()
        # What is read-only is required of answers alone (OpenAPI 3.0.3, Schema Object).
        return found + [
            (name, schema, name in needed and not schema.get("readOnly"))
            for name, schema in self.body.properties.items()
        ]


def _described(schema: Json, description: str) -> Json:
    return {**schema, "description": description} if description and "description" not in schema else schema
