"""The OpenAPI 3.1 document, made from the declarations of the routes and the models of their bodies."""

import inspect
import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ingress.errors import PROBLEM_JSON
from ingress.operation import ANY_METHOD, Operation
from ingress.problem import ProblemDocument

Json = dict[str, Any]

_REFERENCE = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)\}")
_PATTERN = re.compile(r"\{(\w+):[^{}]*\}")
"""A parameter of a route that says what it matches, here with slashes."""
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})


def build_document(operations: Iterable[Operation]) -> Json:
    """Pure: the same operations give the same document."""
    operations = tuple(operations)
    paths: dict[str, Json] = {}
    for operation in operations:
        methods = ANY_METHOD if operation.method == "*" else (operation.method,)
        for method in methods:
            path = _PATTERN.sub(r"{\1}", operation.path)
            paths.setdefault(path, {})[method.lower()] = _operation(operation, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hopline",
            "version": version("hopline"),
            "description": "Events in, workflows run, runs looked at.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"api_key": []}],
    }


def serving(operations: Iterable[Operation]) -> Operation:
    """`/openapi.json`, which describes `operations` and itself."""

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    own = Operation(
        method="GET",
        path="/openapi.json",
        handler=serve,
        summary="This document",
        tag="operation",
        answer="application/json",
        public=True,
    )
    body = orjson.dumps(build_document((*operations, own)))
    return own


def _operation(operation: Operation, method: str) -> Json:
    described: Json = {
        "operationId": _operation_id(operation, method),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.body is not None and method not in _BODILESS:
        described["requestBody"] = {"content": _content(operation.body)}
    if documentation := inspect.getdoc(operation.handler):
        described["description"] = documentation
    if operation.public:
        described["security"] = []
    return described


def _operation_id(operation: Operation, method: str) -> str:
    words = re.findall(r"\w+", _PATTERN.sub(r"{\1}", operation.path))
    return "_".join((method.lower(), *words))


def _parameters(operation: Operation) -> list[Json]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(_PATTERN.sub(r"{\1}", operation.path))
    ]
    query = [
        {
            "name": q.name,
            "in": "query",
            "description": q.description,
            "schema": {"type": "array", "items": {"type": q.type}} if q.many else {"type": q.type},
        }
        for q in operation.query
    ]
    return path + query


def _responses(operation: Operation) -> Json:
    content = {} if operation.answer is None else {"content": _content(operation.answer)}
    answers = [status for status in (operation.also, operation.status) if status is not None]
    problem = {"content": {PROBLEM_JSON: {"schema": _reference(ProblemDocument)}}}
    statuses = {*operation.errors, 503} if operation.public else {*operation.errors, 401, 403, 503}
    return {
        **{str(s): {"description": HTTPStatus(s).phrase, **_told(s, content)} for s in answers},
        **{str(s): {"description": HTTPStatus(s).phrase, **problem} for s in sorted(statuses)},
    }


def _told(status: int, content: Json) -> Json:
    return {} if status == HTTPStatus.NO_CONTENT else content


def _content(body: type[BaseModel] | str) -> Json:
    if isinstance(body, str):
        return {body: {}}
    return {"application/json": {"schema": _reference(body)}}


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": _REFERENCE.format(model=model.__name__)}


def _schemas(operations: Iterable[Operation]) -> Json:
    models: dict[type[BaseModel], None] = {ProblemDocument: None}
    for operation in operations:
        models |= {m: None for m in (operation.body, operation.answer) if isinstance(m, type)}
    _, document = models_json_schema([(m, "serialization") for m in models], ref_template=_REFERENCE)
    definitions: Json = document["$defs"]
    return definitions
