"""Tool providers: what is stored, what is shown, and what is refused."""

from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT, ToolProvider, Workflow, WorkflowType
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import AUTHORIZED, SECRET_KEY, Client, StandIns

PATH = "/api/v1/tool-providers"
DOCUMENT = """
openapi: 3.0.3
servers: [{url: https://orders.test}]
paths:
  /orders/{id}:
    get:
      operationId: getOrder
      summary: One order
      parameters: [{name: id, in: path, schema: {type: string}}]
"""
ORDERS = {
    "name": "shop/orders",
    "kind": "openapi",
    "document": DOCUMENT,
    "auth": {"type": "bearer"},
    "credentials": {"token": "t0k3n"},
}
SEARCH = {"name": "search", "kind": "mcp", "url": "https://search.test/mcp"}


async def post(client: Client, body: Any) -> tuple[int, Any]:
    async with client.post(PATH, json=body, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def get(client: Client, path: str) -> tuple[int, Any]:
    async with client.get(PATH + path, headers=AUTHORIZED) as answer:
        return answer.status, await answer.json()


async def test_the_token_is_encrypted_and_never_shown(client: Client, stand_ins: StandIns) -> None:
    status, created = await post(client, ORDERS)
    assert (status, created["credentials"]) == (201, {"token": "********"})
    stored = stand_ins.configured.definitions.provider(ToolProvider, DEFAULT_TENANT, "shop/orders")
    assert stored is not None
    assert SecretBox(SECRET_KEY.encode()).decrypt(DEFAULT_TENANT, stored.credentials["token"]) == "t0k3n"
    # A name with a slash in it, as those of plugins are, stays one segment of the path.
    assert (await get(client, "/shop%2Forders"))[1] == created
    assert (await get(client, ""))[1] == {"data": [created]}


async def test_the_tools_of_an_api_are_listed_with_its_document(client: Client) -> None:
    await post(client, ORDERS)
    status, tools = await get(client, "/shop%2Forders/tools")
    assert status == 200
    assert tools["data"] == [
        {
            "name": "getOrder",
            "description": "One order",
            "parameters": {
                "type": "object",
                "properties": {"id": {"type": "string"}},
                "required": ["id"],
            },
        }
    ]
    _, document = await get(client, "/shop%2Forders/document")
    assert document["servers"] == [{"url": "https://orders.test"}]


async def test_the_tools_of_a_server_are_known_to_the_workers(client: Client) -> None:
    assert (await post(client, SEARCH))[0] == 201
    for path in ("/search/tools", "/search/document"):
        status, problem = await get(client, path)
        assert (status, "MCP server" in problem["detail"]) == (409, True)


async def test_a_workflow_is_a_tool_that_takes_what_its_form_asks_for(
    client: Client, stand_ins: StandIns
) -> None:
    provider = {"name": "forecast", "kind": "workflow", "workflow_id": "w", "description": "The weather"}
    assert (await post(client, provider))[0] == 201
    status, problem = await get(client, "/forecast/tools")
    assert (status, problem["detail"]) == (409, "no version of workflow w is published")
    city = {"variable": "city", "label": "Which city?", "type": "text-input", "required": True}
    days = {"variable": "days", "label": "days", "type": "number"}
    start = {"id": "s", "data": {"type": "start", "title": "s", "variables": [city, days]}}
    workflow = Workflow(id="w", app_id="a", type=WorkflowType.WORKFLOW, version="1", graph={"nodes": [start]})
    stand_ins.configured.definitions.apply("definitions.workflows", workflow.key, workflow)
    [tool] = (await get(client, "/forecast/tools"))[1]["data"]
    assert (tool["name"], tool["description"]) == ("forecast", "The weather")
    assert tool["parameters"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which city?"},
            "days": {"type": "number"},
        },
        "required": ["city"],
    }
    status, problem = await get(client, "/forecast/document")
    assert (status, problem["detail"]) == (409, "'forecast' is a workflow: it has no document")


async def test_every_problem_of_a_document_is_named(client: Client) -> None:
    broken = DOCUMENT.replace("name: id, in: path", "name: id, in: body").replace("https:", "ftp:")
    status, problem = await post(client, {**ORDERS, "document": broken})
    assert status == 422
    assert [row["field"] for row in problem["errors"]] == [
        "servers",
        "paths./orders/{id}.get.parameters.0",
        "paths./orders/{id}.get",
    ]
    assert problem["errors"][0]["why"].endswith("give server_url")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**ORDERS, "document": "- a\n- b"}, "must be an OpenAPI document"),
        ({**ORDERS, "document": None}, "a provider of kind openapi needs document"),
        ({**ORDERS, "url": "http://x"}, "a provider of kind openapi has no url"),
        ({**SEARCH, "url": None}, "a provider of kind mcp needs url"),
        ({**SEARCH, "document": {}}, "a provider of kind mcp has no document"),
        ({**SEARCH, "url": "ws://x"}, "should match pattern"),
        ({**SEARCH, "workflow_id": "w"}, "a provider of kind mcp has no workflow_id"),
        ({"name": "w", "kind": "workflow"}, "a provider of kind workflow needs workflow_id"),
        ({"name": "w", "kind": "workflow", "workflow_id": "w", "timeout_s": 3}, "has no auth, headers and"),
        ({**SEARCH, "timeout": 3}, "Extra inputs are not permitted"),
        ({**ORDERS, "credentials": {}}, "auth of type bearer takes these credentials: token"),
        ({**ORDERS, "auth": {"type": "basic"}}, "takes these credentials: username, password"),
        ({**SEARCH, "credentials": {"token": "x"}}, "auth of type none takes these credentials: none"),
    ],
)
async def test_what_does_not_fit_is_refused(client: Client, body: Any, said: str) -> None:
    status, problem = await post(client, body)
    assert status == 422
    assert said in problem["errors"][0]["why"]


async def test_a_masked_token_stays_as_it_is_and_goes_where_it_went(
    client: Client, stand_ins: StandIns
) -> None:
    await post(client, ORDERS)
    changed = {**ORDERS, "server_url": "https://new.test"}
    for status, credentials in (
        (422, {"token": "********"}),
        (200, {"token": "t0k3n"}),
        (200, {"token": "********"}),
    ):
        body = {**changed, "credentials": credentials}
        async with client.put(PATH + "/shop%2Forders", json=body, headers=AUTHORIZED) as answer:
            assert answer.status == status, await answer.text()
    stored = stand_ins.configured.definitions.provider(ToolProvider, DEFAULT_TENANT, "shop/orders")
    assert stored is not None
    assert stored.api.tools["getOrder"].server == "https://new.test"
    assert SecretBox(SECRET_KEY.encode()).decrypt(DEFAULT_TENANT, stored.credentials["token"]) == "t0k3n"
