"""Swagger 2.0 said as OpenAPI 3.0, as far as calling its operations goes."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_OWN = frozenset({"name", "in", "required", "description", "schema", "collectionFormat", "allowEmptyValue"})
_STYLES: Mapping[str, Json] = {
    "multi": {"style": "form", "explode": True},
    "csv": {"explode": False},
    "ssv": {"style": "spaceDelimited", "explode": False},
    "pipes": {"style": "pipeDelimited", "explode": False},
}


def as_openapi(document: Json) -> dict[str, Any]:
    """What is not about calling is left as it is, so that references lead to where they led."""
    paths = document.get("paths")
    converted = {
        path: _item(document, item) if isinstance(item, Mapping) else item
        for path, item in (paths.items() if isinstance(paths, Mapping) else ())
    }
    version = "3.0.3" if str(document.get("swagger")).startswith("2") else f"swagger {document['swagger']}"
    return {**document, "openapi": version, "servers": _servers(document), "paths": converted}


def _servers(document: Json) -> list[dict[str, str]]:
    host, base = document.get("host"), str(document.get("basePath") or "")
    schemes = document.get("schemes") or ["https"]
    return [{"url": f"{scheme}://{host}{base.rstrip('/')}"} for scheme in schemes] if host else []


def _item(document: Json, item: Json) -> dict[str, Any]:
    shared = [_declared(document, one) for one in _objects(item.get("parameters"))]
    return {
        **{key: value for key, value in item.items() if key != "parameters"},
        **{method: _operation(document, item[method], shared) for method in _METHODS if method in item},
    }


def _operation(document: Json, operation: Any, shared: list[Json]) -> Any:
    if not isinstance(operation, Mapping):
        return operation
    own = [_declared(document, one) for one in _objects(operation.get("parameters"))]
    taken = {(one.get("name"), one.get("in")) for one in own}
    given = [one for one in shared if (one.get("name"), one.get("in")) not in taken] + own
    consumes = operation.get("consumes") or document.get("consumes") or ["application/json"]
    changed = {**operation, "parameters": [_parameter(one) for one in given if one.get("in") in _PLAIN]}
    body = _body([one for one in given if one.get("in") not in _PLAIN], consumes)
    return {**changed, "requestBody": body} if body else changed


_PLAIN = ("path", "query", "header", None)
"""Of which None is a reference that leads nowhere: reading the parameters will say so."""


def _objects(given: Any) -> list[Json]:
    return [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []


def _declared(document: Json, parameter: Json) -> Json:
    """Parameters are told apart by `in`, so theirs are the references to be followed here."""
    name = str(parameter.get("$ref")).removeprefix("#/parameters/")
    declared = document.get("parameters")
    found = declared.get(name) if isinstance(declared, Mapping) else None
    return found if isinstance(found, Mapping) else parameter


def _parameter(parameter: Json) -> Json:
    if "$ref" in parameter:
        return parameter
    style = _STYLES.get(str(parameter.get("collectionFormat") or "csv"), {})
    kept = {key: parameter[key] for key in ("name", "in", "required", "description") if key in parameter}
    is_array = parameter.get("type") == "array"
    return {**kept, **(style if is_array else {}), "schema": _schema(parameter)}


def _schema(parameter: Json) -> dict[str, Any]:
    """The keywords that stand beside the name."""
    return {key: value for key, value in parameter.items() if key not in _OWN}


def _body(parameters: list[Json], consumes: list[Any]) -> dict[str, Any] | None:
    for parameter in parameters:
        if parameter.get("in") == "body":
            media = {"schema": parameter.get("schema") or {}}
            return {
                "required": bool(parameter.get("required")),
                "content": {str(name): media for name in consumes},
            }
    fields = [one for one in parameters if one.get("in") == "formData"]
    if not fields:
        return None
    has_file = any(one.get("type") == "file" for one in fields)
    properties = {
        str(one.get("name")): {**_schema(one), "type": "string", "format": "binary"}
        if one.get("type") == "file"
        else _schema(one)
        for one in fields
    }
    schema = {
        "type": "object",
        "properties": properties,
        "required": [str(one.get("name")) for one in fields if one.get("required")],
    }
    multipart = has_file or "multipart/form-data" in consumes
    name = "multipart/form-data" if multipart else "application/x-www-form-urlencoded"
    return {"required": bool(schema["required"]), "content": {name: {"schema": schema}}}
