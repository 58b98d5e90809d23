"""What is made of a document, and what is said about one that cannot be called."""

from typing import Any

import pytest

from schemas.errors import InvalidDefinition
from schemas.openapi import read_api

PETS: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Pets"},
    "servers": [{"url": "https://{region}.pets.test/v1/", "variables": {"region": {"default": "eu"}}}],
    "paths": {
        "/pets/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "get": {"operationId": "getPet", "summary": "One pet", "description": "By its id."},
            "patch": {
                "parameters": [
                    {"name": "id", "in": "path", "schema": {"type": "string"}},
                    {"name": "If-Match", "in": "header", "schema": {"type": "string"}},
                    {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    {"name": "filter", "in": "query", "content": {"application/json": {"schema": {}}}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/xml": {"schema": {}},
                        "application/json; charset=utf-8": {"schema": {"$ref": "#/components/schemas/Pet"}},
                    },
                },
            },
        }
    },
    "components": {
        "parameters": {
            "Id": {"name": "id", "in": "path", "description": "Of the pet", "schema": {"type": "integer"}}
        },
        "schemas": {
            "Named": {
                "type": "object", "required": ["name"],
                "properties": {"name": {"type": "string", "nullable": True}},
            },
            "Pet": {
                "allOf": [
                    {"$ref": "#/components/schemas/Named"},
                    {"required": ["kind"], "properties": {"kind": {"enum": ["cat", "dog"]}}},
                ],
                "properties": {"parent": {"$ref": "#/components/schemas/Pet"}},
            },
        },
    },
}  # fmt: skip


def operation(**given: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "servers": [{"url": "http://x.test"}],
        "paths": {"/a": {"post": {"operationId": "a", **given}}},
    }


def test_operations_are_tools() -> None:
    api = read_api(PETS)
    assert api.title == "Pets"
    assert list(api.tools) == ["getPet", "petsid_patch"]
    get = api.tools["getPet"]
    assert (get.method, get.path, get.server) == ("GET", "/pets/{id}", "https://eu.pets.test/v1")
    assert get.description == "One pet\nBy its id."
    assert get.arguments() == {
        "type": "object",
        "properties": {"id": {"type": "integer", "description": "Of the pet"}},
        "required": ["id"],
    }


def test_parameters_and_members_of_the_body_are_arguments() -> None:
    patch = read_api(PETS).tools["petsid_patch"]
    assert [(p.name, p.place, p.as_json) for p in patch.parameters] == [
        ("id", "path", False), ("If-Match", "header", False), ("filter", "query", True),
    ]  # fmt: skip
    assert patch.body is not None
    assert patch.body.media_type == "application/json"
    arguments = patch.arguments()
    assert list(arguments["properties"]) == ["id", "If-Match", "filter", "name", "kind", "parent"]
    assert arguments["required"] == ["id", "name", "kind"]
    assert arguments["properties"]["name"] == {"type": ["string", "null"]}


def test_what_is_read_only_is_not_required() -> None:
    members = {"id": {"type": "integer", "readOnly": True}, "name": {"type": "string"}}
    schema = {"properties": members, "required": ["id", "name"]}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    arguments = read_api(operation(requestBody=body)).tools["a"].arguments()
    assert arguments == {"type": "object", "properties": members, "required": ["name"]}


def test_a_schema_that_refers_to_itself_comes_to_an_end() -> None:
    schema = read_api(PETS).tools["petsid_patch"].arguments()
    depth = 0
    while schema := schema.get("properties", {}).get("parent", {}):
        depth += 1
    assert 2 < depth < 20


def test_references_that_double_at_every_step_come_to_an_end() -> None:
    # 6^12 schemas if all were put in.
    bomb = {f"p{i}": {"$ref": "#/components/schemas/Bomb"} for i in range(6)}
    document = operation(requestBody={"content": {"application/json": {"schema": {"properties": bomb}}}})
    document["components"] = {"schemas": {"Bomb": {"properties": bomb}}}
    assert read_api(document).tools["a"].arguments()["properties"].keys() == bomb.keys()


def test_a_broken_reference_is_found_however_deep_it_is_and_one_in_a_response_does_not_matter() -> None:
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}
    document = operation(requestBody=body, responses={"200": {"$ref": "#/nowhere"}})
    deep: dict[str, Any] = {"$ref": "#/gone"}
    for _ in range(50):
        deep = {"items": deep}
    document["components"] = {"schemas": {"A": deep}}
    with pytest.raises(InvalidDefinition, match=r"requestBody: '#/gone' leads nowhere"):
        read_api(document)
    document["components"] = {"schemas": {"A": {"enum": [{"$ref": "#/data"}]}}}
    assert read_api(document).tools["a"].arguments()["required"] == []


@pytest.mark.parametrize("schema", [{"type": "array", "items": {}}, {}, {"oneOf": [{}, {}]}])
def test_a_body_without_members_is_one_argument(schema: Any) -> None:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    arguments = read_api(operation(requestBody=body)).tools["a"].arguments()
    assert arguments == {"type": "object", "properties": {"body": schema}, "required": ["body"]}


def test_a_server_that_is_given_wins() -> None:
    assert read_api(PETS, "http://127.0.0.1:1/").tools["getPet"].server == "http://127.0.0.1:1"


def test_an_operation_may_have_a_server_of_its_own() -> None:
    document = operation(servers=[{"url": "https://other.test"}])
    assert read_api(document).tools["a"].server == "https://other.test"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"paths": {}}, ["openapi: is none; 3.0, 3.1 and Swagger 2.0 are read"]),
        ({"openapi": "2.9"}, ["openapi: is 2.9; 3.0, 3.1 and Swagger 2.0 are read"]),
        ({"swagger": "1.2"}, ["openapi: is swagger 1.2; 3.0, 3.1 and Swagger 2.0 are read"]),
        ({"openapi": "3.0.0"}, ["paths: there are none, so there is nothing to call"]),
        ({"openapi": "3.0.0", "paths": {"/a": {}}}, ["paths: have no operations"]),
        ({"openapi": "3.0.0", "paths": {"/a": {"get": {}, "put": {}}}},
         ["servers: the document names no server; give server_url"]),
        ({"openapi": "3.0.0", "servers": [{"url": "/v1"}], "paths": {"/a": {"get": {}}}},
         ["servers: the document has the server '/v1', which is no absolute http URL; give server_url"]),
        (operation(requestBody={"content": {}}), ["paths./a.post.requestBody: has no content"]),
        (operation(requestBody={"content": {"text/plain": {"schema": {"$ref": "http://x/y"}}}}),
         ["paths./a.post.requestBody: 'http://x/y' leads out of the document; put in what it refers to"]),
        ({**operation(), "paths": {"/a/{x}": {"get": {"parameters": [
            3, {"in": "query"}, {"name": "a", "in": "body"}, {"$ref": "#/nope"},
            {"name": "q", "in": "query", "style": "simple"}]}}}},
         ["paths./a/{x}.get.parameters.0: must be an object",
          "paths./a/{x}.get.parameters.1: needs a name, and in: path, query, header, cookie",
          "paths./a/{x}.get.parameters.2: needs a name, and in: path, query, header, cookie",
          "paths./a/{x}.get.parameters.3: '#/nope' leads nowhere",
          "paths./a/{x}.get.parameters.4: style 'simple' is none for a parameter in query",
          "paths./a/{x}.get: the path has {x}, and no parameter in path is called so"]),
        ({**operation(), "paths": {"a": {}, "/b": {"$ref": "#/paths/~1b"},
          "/c": {"get": {"operationId": "same"}, "put": {"operationId": "same"}}}},
         ["paths.a: must begin with a slash, and be an object of operations",
          "paths./b: '#/paths/~1b' refers to itself",
          "paths: 2 operations have the operationId 'same'"]),
    ],
)  # fmt: skip
def test_every_problem_is_named(document: Any, said: list[str]) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        read_api(document)
    assert [str(problem) for problem in refused.value.problems] == said
