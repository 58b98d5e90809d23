"""Swagger 2.0 is read as what OpenAPI 3 says in its place."""

from typing import Any

from schemas.openapi import read_api

DOCUMENT: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Old"},
    "host": "old.test",
    "basePath": "/v2/",
    "parameters": {"Tags": {"name": "tags", "in": "query", "type": "array", "items": {"type": "string"}}},
    "definitions": {"Note": {"properties": {"text": {"type": "string"}}, "required": ["text"]}},
    "paths": {
        "/notes": {
            "parameters": [{"name": "lang", "in": "query", "type": "string", "enum": ["de", "en"]}],
            "get": {
                "operationId": "list",
                "parameters": [
                    {"$ref": "#/parameters/Tags"},
                    {"name": "ids", "in": "query", "type": "array", "collectionFormat": "multi"},
                ],
            },
            "post": {
                "operationId": "add",
                "parameters": [
                    {"name": "note", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Note"}}
                ],
            },
            "put": {
                "operationId": "upload",
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {"name": "file", "in": "formData", "type": "file", "required": True},
                    {"name": "lang", "in": "query", "type": "integer"},
                ],
            },
            "patch": {
                "operationId": "form",
                "parameters": [{"name": "x", "in": "formData", "type": "number"}],
            },
        }
    },
}


def test_server_and_parameters() -> None:
    tool = read_api(DOCUMENT).tools["list"]
    assert tool.server == "https://old.test/v2"
    assert [(p.name, p.style, p.explode) for p in tool.parameters] == [
        ("lang", "form", True), ("tags", "form", False), ("ids", "form", True),
    ]  # fmt: skip
    assert tool.parameters[0].schema == {"type": "string", "enum": ["de", "en"]}


def test_bodies() -> None:
    tools = read_api(DOCUMENT).tools
    add, upload, form = (tools[name].body for name in ("add", "upload", "form"))
    assert add is not None
    assert upload is not None
    assert form is not None
    assert (add.media_type, add.required, list(add.properties)) == ("application/json", True, ["text"])
    assert upload.media_type == "multipart/form-data"
    assert upload.properties["file"] == {"type": "string", "format": "binary"}
    assert form.media_type == "application/x-www-form-urlencoded"
    assert tools["upload"].parameters[0].schema == {"type": "integer"}
