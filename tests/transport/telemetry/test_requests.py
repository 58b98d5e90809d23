"""Spans of requests, where what is around them fails. The rest is in tests/ingress/test_tracing.py."""

import asyncio
import logging

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from tests.transport.telemetry.collector import collecting
from transport.telemetry.requests import RequestSpans
from transport.telemetry.sampling import Sampler

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "a=b"}


async def test_a_collector_that_is_away_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("transport.telemetry.requests._CLOSE_S", 0.05)
    async with collecting() as collector:
        url = collector.url
    spans = RequestSpans("s", Sampler(), OTLPSpanExporter(f"{url}/v1/traces", timeout=60))
    spans.end(spans.begin("GET", "/a", {}, {}), 200)
    await asyncio.to_thread(spans.close)
    said = [line.levelno for line in caplog.records if line.name == "transport.telemetry.requests"]
    assert said == [logging.WARNING]


def test_the_state_of_the_trace_goes_on() -> None:
    spans = RequestSpans("s", Sampler(), OTLPSpanExporter("http://127.0.0.1:9/v1/traces", timeout=0.1))
    context = spans.begin("GET", "/a", SENT, {}).get_span_context()
    assert (f"{context.trace_id:032x}", context.trace_state.get("a")) == (TRACE, "b")
    spans.close()
