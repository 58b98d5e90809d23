"""The tool node against a real API and a real MCP server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from schemas.nodes.tool import ToolData
from streams.engine.nodes.tool import compile_tool
from streams.executors.outcome import NodeCall, Outcome
from streams.executors.tools.executor import ToolExecutor
from tests.streams.executors.tools.mcp_server import Front, new_server, serving
from tests.streams.executors.tools.orders_api import DOCUMENT, OrdersApi, orders_api
from tests.streams.executors.tools.workbench import Workbench, provider, workbench


@pytest.fixture
async def api() -> AsyncIterator[OrdersApi]:
    async with orders_api() as api:
        yield api


@pytest.fixture
async def bench(api: OrdersApi, tmp_path: Path) -> AsyncIterator[Workbench]:
    orders = provider("orders", kind="openapi", document=DOCUMENT, server_url=api.url)
    async with workbench(tmp_path, [orders], ["127.0.0.1"]) as bench:
        yield bench


async def execute(bench: Workbench, tool: str, pool: Any = None, **data: Any) -> Outcome:
    names = {"type": "tool", "title": "T", "provider_name": "orders", "provider_id": "u-1", "tool_name": tool}
    task = compile_tool(ToolData.model_validate({**names, **data})).task(pool or {})
    call = NodeCall(node_type="tool", config=task.config, inputs=task.inputs, execution_id="e-1",
                    tenant_id=DEFAULT_TENANT)  # fmt: skip
    return await ToolExecutor(bench.toolbox)(call)


async def test_an_operation_is_called_with_what_the_run_knows(bench: Workbench, api: OrdersApi) -> None:
    given = {"id": {"type": "mixed", "value": "{{#n.id#}}"}, "lang": {"type": "constant", "value": "de"}}
    outcome = await execute(
        bench, "getOrder", {"n": {"id": "12"}}, tool_parameters=given, provider_type="api"
    )
    assert outcome.status == "succeeded"
    assert outcome.outputs == {
        "text": '{"path": "/orders/12", "told": null}',
        "files": [],
        "json": [{"path": "/orders/12", "told": None}],
    }
    assert api.received[0][1] == "/orders/12?lang=de"
    assert api.received[0][2]["idempotency-key"] == "e-1"
    assert outcome.process_data["request"].startswith(f"GET {api.url}/orders/12?lang=de")
    assert outcome.execution_metadata == {
        "tool_info": {"provider_type": "api", "provider_id": "u-1", "plugin_unique_identifier": None}
    }


async def test_a_file_is_an_output(bench: Workbench) -> None:
    outcome = await execute(bench, "picture")
    assert [file["filename"] for file in outcome.outputs["files"]] == ["dot.png"]
    assert outcome.outputs["json"] == [{"data": []}]


async def test_structured_content_is_variables(bench: Workbench) -> None:
    async with serving(Front(new_server([]).streamable_http_app(), era="modern")) as address:
        bench.add(provider("langgenius/sums/sums", kind="mcp", url=f"http://{address}/mcp"))
        given = {"a": {"type": "constant", "value": 2}}
        name = {"provider_name": "langgenius/sums/sums", "provider_id": ""}
        outcome = await execute(bench, "add", tool_parameters=given, **name)
    assert outcome.outputs == {"text": "3", "files": [], "json": [{"data": []}], "result": 3}


@pytest.mark.parametrize(
    ("data", "error_type", "said"),
    [
        ({"provider_name": "langgenius/google/google", "provider_id": ""}, "NotConfigured",
         "tool provider 'langgenius/google/google' is not configured (there are: orders)"),
        ({"tool_name": "nope"}, "ToolRuntimeResolutionError", "'orders' has no tool 'nope'"),
        ({}, "ToolParameterError", "parameter 'id' is required, and has no value"),
        ({"tool_name": "fails"}, "ToolRuntimeInvocationError", "fails answered with status 418"),
    ],
)  # fmt: skip
async def test_what_goes_wrong_is_the_failure_of_the_node(
    bench: Workbench, data: Any, error_type: str, said: str
) -> None:
    outcome = await execute(bench, "getOrder", **data)
    assert (outcome.status, outcome.error_type) == ("failed", error_type)
    assert outcome.error is not None
    assert said in outcome.error
    assert "tool_info" in outcome.execution_metadata
