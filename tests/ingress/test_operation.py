"""Health, the OpenAPI document, and what happens when something is wrong inside."""

import asyncio
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate
from pydantic import SecretStr

from ingress.endpoints import Endpoints
from ingress.errors import Unavailable
from ingress.limits import Limits
from ingress.openapi import build_document
from ingress.operation import ANY_METHOD
from ingress.routes import OPERATIONS
from schemas.models import DEFAULT_TENANT, AppTrigger
from schemas.secrets import SecretBox
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, SECRET_KEY, Client, StandIns, assemble, new_settings
from transport.definitions import TRIGGERS, Definitions

WEBHOOK_ID = "w" * 16


async def test_the_openapi_document_is_valid_and_has_every_route(client: Client) -> None:
    async with client.get("/openapi.json") as answer:
        document = await answer.json()
    validate(document)
    assert document == build_document(OPERATIONS)
    described = {(m.upper(), path) for path, methods in document["paths"].items() for m in methods}
    routed = {
        (method, route.resource.canonical)
        for route in client.app.router.routes()
        if route.resource is not None
        for method in (ANY_METHOD if route.method == "*" else (route.method,))
    }
    assert described == routed


async def test_the_document_has_answers_of_what_was_done_before(client: Client, workflow_id: str) -> None:
    async with client.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    publish = "/api/v1/workflows/{workflow_id}/publish"
    asked = {"/api/v1/workflows/import": "?app=orders", publish: ""}
    for path, query in asked.items():
        place = path.format(workflow_id=workflow_id) + query
        async with client.post(place, json=GRAPH if query else {}, headers=AUTHORIZED) as answer:
            responses = paths[path]["post"]["responses"]
            assert answer.status == 200
            assert responses["200"]["content"] == responses["201"]["content"]
    ended = paths["/api/v1/runs/{run_id}/events"]["get"]["responses"]["204"]
    assert "content" not in ended


def test_operations_have_unique_ids_and_say_what_they_take() -> None:
    paths = build_document(OPERATIONS)["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    put_draft = paths["/api/v1/workflows/{workflow_id}/draft"]["put"]
    assert put_draft["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/DraftBody")
    public = paths["/triggers/webhook/{webhook_id}"]["post"]
    assert public["security"] == []
    assert "401" in put_draft["responses"]


def test_nothing_else_can_be_done_by_anybody_or_by_whoever_may_read() -> None:
    public = {f"{one.method} {one.path}" for one in OPERATIONS if one.public}
    assert public == {
        "* /api/v1/public/webhook/{webhook_id:.+}",
        "* /triggers/plugin/{endpoint_id}",
        "* /triggers/webhook/{webhook_id:.+}",
        "GET /api/v1/oauth/{provider}/callback",
        "GET /files/{file_id}",
        "GET /health",
        "GET /health/detailed",
        "GET /metrics",
        "GET /openapi.json",
        "OPTIONS /api/v1/events",
        "POST /api/v1/github/webhook",
        "POST /api/v1/github/webhook/{connection_id}",
        "POST /api/v1/google/calendar/{trigger_id}",
        "POST /api/v1/slack/events",
        "POST /api/v1/slack/events/{connection_id}",
    }
    asking = {one.path for one in OPERATIONS if one.needs == "read" and one.method != "GET"}
    searches = {"/api/v1/datasets/{name}/search", "/api/v1/knowledge/retrieval"}
    assert asking == {"/api/v1/sql", *searches}
    doing = {one.path for one in OPERATIONS if one.needs != "read" and one.method == "GET"}
    assert doing == {"/api/v1/oauth/{provider}/authorize"}


async def test_a_key_that_is_no_text_is_unknown(client: Client) -> None:
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    lines = b"GET /api/v1/workflows HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    writer.write(lines + b"Authorization: Bearer \xff\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("reachable", "status", "overall"), [(True, 200, "healthy"), (False, 503, "unhealthy")]
)
async def test_health(
    reachable: bool, status: int, overall: str, client: Client, stand_ins: StandIns
) -> None:
    stand_ins.probe.answer = reachable
    async with client.get("/health") as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "healthy")
    async with client.get("/health/detailed") as answer:
        assert answer.status == status
        document = await answer.json()
    assert document["status"] == overall
    assert document["components"]["broker"]["status"] == overall
    assert document["components"]["history"]["status"] == "absent"


async def test_a_definition_that_is_left_out_is_told(client: Client, stand_ins: StandIns) -> None:
    stand_ins.configured.unreadable["definitions.apps", "a"] = object()
    async with client.get("/health/detailed") as answer:
        document = await answer.json()
    assert (answer.status, document["status"]) == (200, "degraded")
    assert "1 that this release cannot read" in document["components"]["definitions"]["detail"]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("o" * 32, "HOPLINE_SECRET_KEY is not the key that secrets were stored with"),
        (None, "secrets are stored, and HOPLINE_SECRET_KEY is not set"),
        (SECRET_KEY, ""),
    ],
)
async def test_a_key_that_reads_no_secret_is_told_once_and_by_health(
    key: str | None, why: str, stand_ins: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    secret = SecretBox(SECRET_KEY.encode()).encrypt(DEFAULT_TENANT, "s3cret")
    await stand_ins.configured.put(TRIGGERS, _trigger(secret))
    document = await _health(stand_ins, key)
    told = document["components"]["secrets"]
    assert document["status"] == told["status"] == ("degraded" if why else "healthy")
    if why:
        assert told["detail"] == why
    assert caplog.messages == ([f"{why}: requests that need a stored secret are refused"] if why else [])


async def test_without_a_key_and_without_secrets_nothing_is_wrong(stand_ins: StandIns) -> None:
    document = await _health(stand_ins, None)
    assert (document["status"], document["components"]["secrets"]["status"]) == ("healthy", "absent")


async def test_without_a_history_its_routes_say_so(client: Client) -> None:
    for method, path in (("GET", "runs"), ("GET", "dead-letters"), ("GET", "trigger-logs"), ("POST", "sql")):
        body = {"json": {"query": "SELECT 1"}} if method == "POST" else {}
        async with client.request(method, f"/api/v1/{path}", headers=AUTHORIZED, **body) as answer:
            assert answer.status == 503, path
            assert "HOPLINE_CLICKHOUSE" in (await answer.json())["detail"]


async def test_a_fault_of_ours_tells_nothing_and_is_logged(
    client: Client, stand_ins: StandIns, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise KeyError("internals")

    stand_ins.configured.put = broken  # type: ignore[method-assign]
    async with client.post("/api/v1/api-keys", json={"name": "x"}, headers=AUTHORIZED) as answer:
        assert answer.status == 500
        assert "internals" not in await answer.text()
    assert "KeyError: 'internals'" in caplog.text


async def _health(stand_ins: StandIns, key: str | None) -> dict[str, Any]:
    app = assemble(stand_ins, new_settings(secret_key=None if key is None else SecretStr(key)))
    async with TestClient(TestServer(app)) as client, client.get("/health/detailed") as answer:
        assert answer.status == 200
        document: dict[str, Any] = await answer.json()
        return document


def _trigger(secret: str) -> AppTrigger:
    signature = {"scheme": "github", "secrets": [secret]}
    config = {"webhook_id": WEBHOOK_ID, "signature": signature}
    return AppTrigger(id="t", app_id="a", workflow_id="w", type="WEBHOOK", config=config)


@pytest.mark.parametrize("box", [None, SecretBox(b"another key" * 4)])
def test_a_webhook_whose_secrets_cannot_be_read_takes_nothing(box: SecretBox | None) -> None:
    """Else whoever loses the key opens every signed webhook to everybody."""
    definitions = Definitions()
    trigger = _trigger(SecretBox(b"the key" * 8).encrypt("x", "secret"))
    definitions.apply(TRIGGERS, trigger.key, trigger)
    with pytest.raises(Unavailable, match="HOPLINE_SECRET_KEY"):
        Endpoints(definitions, box, Limits(new_settings())).find(WEBHOOK_ID)


def test_endpoints_are_compiled_once_and_forgotten_with_their_triggers() -> None:
    definitions, box = Definitions(), SecretBox(b"the key" * 8)
    endpoints = Endpoints(definitions, box, Limits(new_settings()))
    for number in range(200):
        webhook_id = f"webhook-{number:010d}"
        config = {"webhook_id": webhook_id}
        trigger = AppTrigger(id=str(number), app_id="a", workflow_id="w", type="WEBHOOK", config=config)
        definitions.apply(TRIGGERS, trigger.key, trigger)
        assert endpoints.find(webhook_id) is endpoints.find(webhook_id)
        definitions.apply(TRIGGERS, trigger.key, None)
    assert len(endpoints._compiled) < 100
