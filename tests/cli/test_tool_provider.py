"""`hopline tool-provider`: what is sent, and how it is shown."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

ORDERS = {
    "name": "shop/orders", "kind": "openapi", "description": "", "server_url": "http://s", "url": None,
    "auth": {"type": "bearer"}, "credentials": {"token": "********"},
}  # fmt: skip
TOOLS = [
    {
        "name": "getOrder",
        "description": "One order\nBy its id.",
        "parameters": {"type": "object", "properties": {"id": {}, "lang": {}}, "required": ["id"]},
    }
]


def create(hopline: Hopline, api: CannedApi, *args: str) -> Any:
    api.says("POST /api/v1/tool-providers", ORDERS, 201)
    result = hopline("tool-provider", "create", "shop/orders", *args)
    assert result.exit_code == 0, result.output
    assert result.stdout == "created shop/orders\n"
    return api.seen[-1].json


def test_an_api_is_created_from_its_document(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    document, token = tmp_path / "orders.yaml", tmp_path / "token"
    document.write_text("openapi: 3.1.0")
    token.write_text("s3cret\n")
    sent = create(hopline, api, "--openapi", str(document), "--auth", "bearer", "--credential",
                  f"token=@{token}", "--header", "X-Tenant=t", "--timeout", "5")  # fmt: skip
    assert sent == {
        "name": "shop/orders", "kind": "openapi", "document": "openapi: 3.1.0", "description": "",
        "headers": {"X-Tenant": "t"}, "auth": {"type": "bearer"}, "credentials": {"token": "s3cret"},
        "timeout_s": 5.0,
    }  # fmt: skip


def test_an_mcp_server_is_created_from_its_url(hopline: Hopline, api: CannedApi) -> None:
    auth = ("--auth", "api-key", "--auth-in", "query", "--auth-name", "key", "--credential", "api_key=k")
    sent = create(hopline, api, "--mcp", "http://s/sse", "--transport", "sse", *auth)
    assert (sent["kind"], sent["url"], sent["transport"]) == ("mcp", "http://s/sse", "sse")
    assert sent["auth"] == {"type": "api_key", "location": "query", "name": "key"}


def test_a_workflow_is_created_by_its_name(hopline: Hopline, api: CannedApi) -> None:
    workflow = {"id": "w-1", "app_id": "a-1", "name": "Forecast"}
    api.says("GET /api/v1/workflows", {"data": [workflow]})
    sent = create(hopline, api, "--workflow", "Forecast")
    assert (sent["kind"], sent["workflow_id"]) == ("workflow", "w-1")


def test_a_provider_is_replaced_and_keeps_its_credentials(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/tool-providers", {"data": [ORDERS]})
    api.says("PUT /api/v1/tool-providers/shop/orders", ORDERS)
    replace = ("tool-provider", "create", "shop/orders", "--mcp", "http://new", "--replace")
    assert hopline(*replace, "--auth", "bearer").stdout == "replaced shop/orders\n"
    assert (api.seen[-1].method, api.seen[-1].json["credentials"]) == ("PUT", {"token": "********"})
    hopline(*replace, "--auth", "bearer", "--credential", "token=new")
    assert api.seen[-1].json["credentials"] == {"token": "new"}
    hopline(*replace)
    assert api.seen[-1].json["credentials"] == {}


@pytest.mark.parametrize(
    "args", [[], ["--mcp", "http://s", "--openapi", "-"], ["--mcp", "x", "--workflow", "x"]]
)
def test_it_is_one_of_them(hopline: Hopline, args: list[str]) -> None:
    result = hopline("tool-provider", "create", "x", *args)
    assert result.exit_code == 2
    assert "one of --openapi FILE, --mcp URL and --workflow NAME" in result.stderr


def test_every_problem_of_a_document_is_shown(hopline: Hopline, api: CannedApi, tmp_path: Path) -> None:
    rows = [{"node": None, "field": "servers", "why": "names no server"}]
    api.refuses("POST /api/v1/tool-providers", 422, "the definition has 1 problem(s)", errors=rows)
    (tmp_path / "d.json").write_text("{}")
    result = hopline("tool-provider", "create", "x", "--openapi", str(tmp_path / "d.json"))
    assert result.exit_code == 1
    assert "servers: names no server" in result.stderr


def test_list(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/tool-providers", {"data": [ORDERS]})
    assert hopline("tool-provider", "list").stdout.splitlines() == [
        "name\tkind\tauth\tat\tdescription", "shop/orders\topenapi\tbearer\thttp://s\t",
    ]  # fmt: skip


def test_show_has_the_tools_of_an_api(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/tool-providers/shop/orders", ORDERS)
    api.says("GET /api/v1/tool-providers/shop/orders/tools", {"data": TOOLS})
    shown = hopline("tool-provider", "show", "shop/orders").stdout
    assert shown.endswith("\ngetOrder(id, lang?)\n    One order\n    By its id.\n")
    assert api.seen[0].path == "/api/v1/tool-providers/shop%2Forders"


def test_what_an_api_says_of_itself_does_not_steer_the_terminal(hopline: Hopline, api: CannedApi) -> None:
    tool = {
        "name": "get\x1b[2J",
        "description": "One\x1b[31m\nline",
        "parameters": {"properties": {"a\x07": {}}},
    }
    api.says("GET /api/v1/tool-providers/shop/orders", ORDERS)
    api.says("GET /api/v1/tool-providers/shop/orders/tools", {"data": [tool]})
    shown = hopline("tool-provider", "show", "shop/orders").stdout
    assert shown.endswith("\nget\ufffd[2J(a\ufffd?)\n    One\ufffd[31m\n    line\n")


def test_delete(hopline: Hopline, api: CannedApi) -> None:
    api.says("DELETE /api/v1/tool-providers/shop/orders", None, 204)
    assert hopline("tool-provider", "delete", "shop/orders").stdout == "deleted shop/orders\n"
