"""An OTLP receiver on a real socket: what it is sent is decoded as a collector would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass
class Collector:
    """What has come."""

    port: int = 0
    status: int = 200
    spans: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    requests: int = 0

    @property
    def url(self) -> str:
        """Base URL of all signals."""
        return f"http://127.0.0.1:{self.port}"

    async def traces(self, request: web.Request) -> web.Response:
        """`POST /v1/traces`."""
        self.requests += 1
        message = ExportTraceServiceRequest.FromString(await request.read())
        if self.status == 200:
            for resource in message.resource_spans:
                service = _attributes(resource.resource.attributes)
                self.spans += [_span(one, service) for scope in resource.scope_spans for one in scope.spans]
        return web.Response(status=self.status)

    async def lines(self, request: web.Request) -> web.Response:
        """`POST /v1/logs`."""
        message = ExportLogsServiceRequest.FromString(await request.read())
        for resource in message.resource_logs:
            service = _attributes(resource.resource.attributes)
            self.logs += [
                {
                    "body": one.body.string_value,
                    "severity": one.severity_text,
                    "trace_id": one.trace_id.hex(),
                    "span_id": one.span_id.hex(),
                    "scope": scope.scope.name,
                    "service": service["service.name"],
                    "attributes": _attributes(one.attributes),
                }
                for scope in resource.scope_logs
                for one in scope.log_records
            ]
        return web.Response(status=self.status)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """One on a free port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.traces)
    app.router.add_post("/v1/logs", collector.lines)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    collector.port = runner.addresses[0][1]
    try:
        yield collector
    finally:
        await runner.cleanup()


def _span(span: Any, service: dict[str, Any]) -> dict[str, Any]:
    return {
        "Timestamp": span.start_time_unix_nano,
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex(),
        "SpanName": span.name,
        "SpanKind": ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")[span.kind],
        "ServiceName": service["service.name"],
        "SpanAttributes": {name: _text(value) for name, value in _attributes(span.attributes).items()},
        "Duration": span.end_time_unix_nano - span.start_time_unix_nano,
        "StatusCode": ("Unset", "Ok", "Error")[span.status.code],
        "StatusMessage": span.status.message,
    }


def _attributes(pairs: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in pairs}


def _text(value: Any) -> str:
    """As the exporter of the collector writes values into ClickHouse."""
    return str(value)
