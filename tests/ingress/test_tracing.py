"""Spans of API requests, as a collector gets them over OTLP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from schemas.models import DEFAULT_TENANT
from tests.ingress.stand_ins import AUTHORIZED, GRAPH, Client, Server, StandIns, assemble, new_settings
from tests.transport.telemetry.collector import collecting

TRACE, SENDER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SENT = {**AUTHORIZED, "traceparent": f"00-{TRACE}-{SENDER}-01"}

Spans = list[dict[str, Any]]


@asynccontextmanager
async def told(monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns) -> AsyncIterator[tuple[Client, Spans]]:
    """A client of an ingress that knows a collector. The collector has all spans when the block is over."""
    spans: Spans = []
    async with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        async with TestClient(Server(assemble(stand_ins, new_settings()))) as client:
            yield client, spans
        spans += collector.spans


async def test_a_request_is_a_span_under_that_of_its_sender(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns
) -> None:
    async with told(monkeypatch, stand_ins) as (client, spans):
        await answered(client.get("/api/v1/triggers?app_id=secret", headers=SENT), 200)
        await answered(client.get("/api/v1/triggers/none", headers=AUTHORIZED), 404)
        await answered(client.get("/api/v1/triggers"), 401)
    found, missing, stranger = spans
    assert (found["TraceId"], found["ParentSpanId"]) == (TRACE, SENDER)
    assert (found["SpanName"], found["SpanKind"], found["StatusCode"]) == (
        "GET /api/v1/triggers",
        "Server",
        "Unset",
    )
    assert found["ServiceName"] == "hopline-ingress"
    assert found["Duration"] > 0
    agent = found["SpanAttributes"].pop("user_agent.original")
    assert "aiohttp" in agent
    assert found["SpanAttributes"] == {
        "http.request.method": "GET",
        "http.route": "/api/v1/triggers",
        "http.response.status_code": "200",
        "url.path": "/api/v1/triggers",
        "url.scheme": "http",
        "client.address": "127.0.0.1",
        "hopline.tenant.id": DEFAULT_TENANT,
    }
    assert (missing["SpanName"], missing["SpanAttributes"]["url.path"]) == (
        "GET /api/v1/triggers/{trigger_id}",
        "/api/v1/triggers/none",
    )
    assert missing["SpanAttributes"]["http.response.status_code"] == "404"
    assert (missing["StatusCode"], missing["ParentSpanId"]) == ("Unset", ""), (
        "nothing is wrong with the server"
    )
    assert len({span["TraceId"] for span in spans}) == 3
    assert "hopline.tenant.id" not in stranger["SpanAttributes"]


async def test_a_header_that_is_no_text_costs_no_spans(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns
) -> None:
    async with told(monkeypatch, stand_ins) as (client, spans):
        reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
        writer.write(
            b"GET /api/v1/triggers/%ff HTTP/1.1\r\nHost: x\r\nUser-Agent: a\xff\r\nConnection: close\r\n\r\n"
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
        await writer.wait_closed()
    (span,) = spans
    assert span["SpanAttributes"]["user_agent.original"] == "a?"


async def test_what_is_the_fault_of_the_server_is_an_error(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns
) -> None:
    async def broken(*_: Any) -> None:
        raise KeyError("internals")

    stand_ins.configured.put = broken  # type: ignore[method-assign]
    async with told(monkeypatch, stand_ins) as (client, spans):
        await answered(client.post("/api/v1/api-keys", json={"name": "x"}, headers=AUTHORIZED), 500)
        await answered(client.get("/api/v1/runs", headers=AUTHORIZED), 503)
    assert [span["StatusCode"] for span in spans] == ["Error", "Error"]
    errors = [span["SpanAttributes"] for span in spans]
    assert [(one["http.response.status_code"], one["error.type"]) for one in errors] == [
        ("500", "KeyError"),
        ("503", "Unavailable"),
    ]


async def test_events_have_their_spans_from_the_history_and_health_has_none(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns
) -> None:
    async with told(monkeypatch, stand_ins) as (client, spans):
        path = "/api/v1/workflows/import?app=orders&publish=true"
        async with client.post(path, json=GRAPH, headers=AUTHORIZED) as answer:
            workflow_id = (await answer.json())["workflow_id"]
        manual = f"/api/v1/triggers/workflows/{workflow_id}/manual"
        await answered(client.post(manual, json={}, headers=AUTHORIZED), 202)
        await answered(client.get("/health"), 200)
    assert [span["SpanName"] for span in spans] == ["POST /api/v1/workflows/import"]


@pytest.mark.parametrize(
    ("sampler", "flag", "kept"),
    [
        ("parentbased_always_on", "00", 0),
        ("always_on", "00", 1),
        ("parentbased_always_off", "01", 1),
        ("always_off", "01", 0),
        ("parentbased_always_off", None, 0),
    ],
)
async def test_the_samplers_decide_as_they_do_on_events(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns, sampler: str, flag: str | None, kept: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    traceparent = {} if flag is None else {"traceparent": f"00-{TRACE}-{SENDER}-{flag}"}
    async with told(monkeypatch, stand_ins) as (client, spans):
        await answered(client.get("/api/v1/triggers", headers={**AUTHORIZED, **traceparent}), 200)
    assert len(spans) == kept


@pytest.mark.parametrize("variable", ["", "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"])
def test_nothing_comes_between_where_nobody_listens(
    monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns, variable: str
) -> None:
    if variable:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv(variable, {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}[variable])
    assert not _wrapped(assemble(stand_ins, new_settings()))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    assert _wrapped(assemble(stand_ins, new_settings()))


def _wrapped(app: web.Application) -> bool:
    return any(route.handler.__code__.co_name == "trace" for route in app.router.routes())


async def answered(request: Any, status: int) -> None:
    async with request as answer:
        assert answer.status == status, await answer.text()
