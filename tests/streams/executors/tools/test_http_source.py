"""Tools of an HTTP API, against a real one."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.models import DEFAULT_TENANT
from streams.executors.errors import NotConfigured
from streams.executors.tools.errors import (
    ToolParameterError,
    ToolRuntimeInvocationError,
    ToolRuntimeResolutionError,
    ToolSSRFError,
)
from streams.executors.tools.toolbox import ToolOutput
from tests.streams.executors.tools.orders_api import DOCUMENT, PNG, OrdersApi, orders_api
from tests.streams.executors.tools.workbench import Workbench, provider, workbench


@pytest.fixture
async def api() -> AsyncIterator[OrdersApi]:
    async with orders_api() as api:
        yield api


@pytest.fixture
async def bench(api: OrdersApi, tmp_path: Path) -> AsyncIterator[Workbench]:
    async with workbench(tmp_path, [orders(api)], [api.address]) as bench:
        yield bench


def orders(api: OrdersApi, credentials: dict[str, str] | None = None, **given: Any) -> Any:
    given = {"kind": "openapi", "document": DOCUMENT, "server_url": api.url, **given}
    return provider("orders", credentials, **given)


async def call(bench: Workbench, tool: str, **given: Any) -> ToolOutput:
    found = await bench.toolbox.find(DEFAULT_TENANT, ["orders"], tool)
    return await bench.toolbox.call(found, given, "key/1")


async def test_every_argument_goes_to_its_place(bench: Workbench, api: OrdersApi) -> None:
    given = {"id": "7", "fields": ["a", "b c"], "tags": '["x","y"]', "filter": {"by": "me", "n": 1},
             "X-Trace": "t", "seen": "yes"}  # fmt: skip
    output = await call(bench, "getOrder", **given)
    method, target, headers, body = api.received[0]
    assert (method, body) == ("GET", b"")
    assert target == ("/orders/7?fields=a&fields=b%20c&tags=x%2Cy&filter%5Bby%5D=me&filter%5Bn%5D=1&lang=en")
    assert headers["x-trace"] == "t"
    assert headers["cookie"] == "seen=true"
    assert headers["idempotency-key"] == "key/1"
    assert output.json == [{"path": "/orders/7", "told": None}]
    assert output.text == '{"path": "/orders/7", "told": null}'


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/größe {id}", "/gr%C3%B6%C3%9Fe%20%2F?n=1"),
        ("/a%20b/{id}#Action", "/a%20b/%2F?n=1"),
        ("/{id}?of=ö", "/%2F?of=%C3%B6&n=1"),
    ],
)
async def test_a_path_is_sent_as_a_url_has_it(
    bench: Workbench, api: OrdersApi, path: str, target: str
) -> None:
    given = [{"name": "id", "in": "path", "schema": {}}, {"name": "n", "in": "query", "schema": {}}]
    document = {**DOCUMENT, "paths": {path: {"get": {"operationId": "a", "parameters": given}}}}
    bench.add(orders(api, document=document))
    await call(bench, "a", id="/", n=1)
    assert api.received[0][1] == target


async def test_a_json_body_has_its_defaults(bench: Workbench, api: OrdersApi) -> None:
    await call(bench, "addOrder", item="tea", note='{"gift": true}')
    assert api.received[0][2]["content-type"] == "application/json"
    assert api.received[0][3] == b'{"item": "tea", "count": 1, "note": {"gift": true}}'


async def test_a_form_repeats_the_name_of_a_list(bench: Workbench, api: OrdersApi) -> None:
    await call(bench, "formOrder", a="x y", b=[1, 2])
    assert api.received[0][3] == b"a=x+y&b=1&b=2"


async def test_a_file_is_uploaded(bench: Workbench, api: OrdersApi) -> None:
    file = await bench.files.save_file(DEFAULT_TENANT, PNG, identity="f", filename="scan.png")
    await call(bench, "uploadOrder", scan=file, by="me")
    body = api.received[0][3]
    assert b'name="scan"; filename="scan.png"\r\nContent-Type: image/png\r\n\r\n' + PNG in body
    assert b'name="by"\r\n\r\nme\r\n' in body


async def test_a_file_is_a_url_where_a_text_is_wanted(bench: Workbench, api: OrdersApi) -> None:
    file = await bench.files.save_file(DEFAULT_TENANT, PNG, identity="f", filename="scan.png")
    await call(bench, "addOrder", item=file)
    assert b'"item": "http://files.test/files/' in api.received[0][3]


async def test_a_file_that_comes_back_is_kept(bench: Workbench) -> None:
    output = await call(bench, "picture")
    again = await call(bench, "picture")
    assert (output.text, output.json) == ("", [])
    assert output.files[0]["filename"] == "dot.png"
    assert output.files[0]["transfer_method"] == "tool_file"
    assert await bench.files.read_file(output.files[0], DEFAULT_TENANT) == PNG
    # The same call made again after a crash makes the same file.
    assert again.files[0]["related_id"] == output.files[0]["related_id"]


@pytest.mark.parametrize(
    ("auth", "credentials", "header"),
    [
        ({"type": "bearer"}, {"token": "s3cret"}, ("authorization", "Bearer s3cret")),
        (
            {"type": "basic"},
            {"username": "me", "password": "s3cret"},
            ("authorization", "Basic " + base64.b64encode(b"me:s3cret").decode()),
        ),
        ({"type": "api_key", "name": "X-Key"}, {"api_key": "s3cret"}, ("x-key", "s3cret")),
        ({"type": "api_key", "prefix": "Token"}, {"api_key": "s3cret"}, ("authorization", "Token s3cret")),
    ],
)
async def test_credentials_are_sent_and_never_shown(
    bench: Workbench, api: OrdersApi, auth: Any, credentials: Any, header: tuple[str, str]
) -> None:
    bench.add(orders(api, credentials, auth=auth))
    output = await call(bench, "getOrder", id=1)
    assert api.received[0][2][header[0]] == header[1]
    for secret in ("s3cret", base64.b64encode(b"me:s3cret").decode()):
        assert secret not in str(output)
    with pytest.raises(ToolRuntimeInvocationError, match="fails answered with status 418: no: ") as failed:
        await call(bench, "fails")
    assert "s3cret" not in str(failed.value)
    assert base64.b64encode(b"me:s3cret").decode() not in str(failed.value)


async def test_a_key_in_the_query_is_not_shown(bench: Workbench, api: OrdersApi) -> None:
    auth = {"type": "api_key", "location": "query", "name": "key"}
    bench.add(orders(api, {"api_key": "s3 cret"}, auth=auth))
    output = await call(bench, "getOrder", id=1)
    assert api.received[0][1] == "/orders/1?lang=en&key=s3%20cret"
    assert "key=******" in output.sent


async def test_what_is_sent_is_shown(bench: Workbench) -> None:
    output = await call(bench, "addOrder", item="tea")
    lines = output.sent.splitlines()
    assert lines[0].startswith("POST http://127.0.0.1:")
    assert lines[1:] == [
        "Content-Type: application/json", "Idempotency-Key: key/1", "", '{"item": "tea", "count": 1}',
    ]  # fmt: skip


async def test_a_redirect_to_a_private_address_is_refused(bench: Workbench) -> None:
    async with orders_api() as private:
        with pytest.raises(ToolSSRFError, match="HOPLINE_EGRESS_ALLOW"):
            await call(bench, "away", to=private.url + "/orders/1")
        assert private.received == []


async def test_credentials_are_not_sent_on_to_another_origin(tmp_path: Path, api: OrdersApi) -> None:
    async with orders_api() as other, workbench(tmp_path, (), [api.address, other.address]) as bench:
        auth = {"type": "api_key", "name": "X-Key"}
        bench.add(orders(api, {"api_key": "s3cret"}, auth=auth, headers={"X-Tenant": "t"}))
        await call(bench, "away", to=other.url + "/orders/1")
    assert api.received[0][2]["x-key"] == "s3cret"
    assert {"x-key", "x-tenant"} & other.received[0][2].keys() == set()


async def test_a_large_reply_is_refused(bench: Workbench) -> None:
    with pytest.raises(ToolRuntimeInvocationError, match="Text size is too large"):
        await call(bench, "large")


async def test_a_call_has_a_time_limit(bench: Workbench, api: OrdersApi) -> None:
    bench.add(orders(api, timeout_s=0.05))
    with pytest.raises(ToolRuntimeInvocationError, match=r"orders did not answer within 0\.05 s"):
        await call(bench, "slow")


async def test_nobody_there_is_a_failure(bench: Workbench, api: OrdersApi) -> None:
    bench.add(orders(api, server_url="http://nobody.invalid"))
    with pytest.raises(ToolRuntimeInvocationError, match=r"nobody\.invalid"):
        await call(bench, "getOrder", id=1)


async def test_a_tool_that_is_not_there_is_named_with_those_that_are(bench: Workbench) -> None:
    with pytest.raises(
        ToolRuntimeResolutionError, match=r"'orders' has no tool 'x' \(there are: addOrder, away"
    ):
        await call(bench, "x")


async def test_a_provider_is_found_by_the_last_part_of_its_name(bench: Workbench) -> None:
    found = await bench.toolbox.find(DEFAULT_TENANT, ["a-uuid", "shop/tools/orders"], "getOrder")
    assert found.provider.name == "orders"
    with pytest.raises(
        NotConfigured, match=r"tool provider 'shop/google' is not configured \(there are: orders"
    ):
        await bench.toolbox.find(DEFAULT_TENANT, ["shop/google"], "search")
    with pytest.raises(NotConfigured, match="'orders' is not configured"):
        await bench.toolbox.find("another-tenant", ["orders"], "getOrder")


async def test_an_argument_that_does_not_fit_is_not_sent(bench: Workbench, api: OrdersApi) -> None:
    with pytest.raises(ToolParameterError, match="'id' must be integer"):
        await call(bench, "getOrder", id="seven")
    assert api.received == []
