"""Spans of the requests that a server answers, by the semantic conventions of OpenTelemetry for HTTP."""

import logging
import threading
from collections.abc import Mapping, Sequence

from opentelemetry.context import Context as SpanScope
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
from opentelemetry.sdk.trace.sampling import Sampler as SdkSampler
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    TraceState,
    format_span_id,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.trace.status import Status, StatusCode
from opentelemetry.util.types import Attributes

from schemas.traces import Context
from transport.telemetry.resource import resource_of
from transport.telemetry.sampling import Sampler

log = logging.getLogger(__name__)

_CLOSE_S = 5.0


class RequestSpans:
    """Makes them, and sends them by OTLP from a thread: whoever answers never waits. Good until `close`."""

    def __init__(self, service: str, sampler: Sampler, exporter: SpanExporter | None = None) -> None:
        """`exporter`: None is OTLP over HTTP, as the environment says (OTEL_EXPORTER_OTLP_*)."""
        self._exporter = exporter or OTLPSpanExporter()
        self._provider = TracerProvider(_Sampling(sampler), resource_of(service), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("hopline")
        self._trace_context = TraceContextTextMapPropagator()

    def begin(
        self, method: str, route: str, headers: Mapping[str, str], attributes: Mapping[str, str | None]
    ) -> Span:
        """The span of a request, under the one that its `traceparent` names. `headers`: in whatever case.

        `route`: the template, which is one of few. Attributes without a value are left out.
        """
        given = {"http.request.method": method, "http.route": route, **attributes}
        return self._tracer.start_span(
            f"{method} {route}",
            self._trace_context.extract(headers, SpanScope()),
            SpanKind.SERVER,
            {name: _text(value) for name, value in given.items() if value},
        )

    @staticmethod
    def end(span: Span, status: int | None, error: str | None = None) -> None:
        """`status` of the answer; None for one that was never given. `error`: the class of what was raised.

        Only what is the server's fault is an error, as the conventions have it.
        """
        if status is not None:
            span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            span.set_attribute("error.type", error or str(status))
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Sends what waits, as far as that takes no longer than 5 s. Blocks."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_CLOSE_S)
        if ending.is_alive():
            log.warning("spans of the last requests are not told by OTLP: nobody takes them")
            self._exporter.shutdown()


def _text(value: str) -> str:
    """aiohttp hands on bytes that are no UTF-8 as lone surrogates. For one, the exporter drops a batch."""
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


class _Sampling(SdkSampler):
    """The decision of all roles, as OpenTelemetry's SDK asks for it."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def should_sample(
        self,
        parent_context: SpanScope | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Keeps the state of the trace as it was sent."""
        parent = get_current_span(parent_context).get_span_context()
        trace = format_trace_id(trace_id)
        keeps = self._sampler.begins(trace)
        if parent.is_valid:
            under = Context(trace, format_span_id(parent.span_id), parent.trace_flags.sampled)
            decided = self._sampler.sent(under.traceparent)
            keeps = decided is not None and decided.sampled
        decision = Decision.RECORD_AND_SAMPLE if keeps else Decision.DROP
        return SamplingResult(decision, attributes, parent.trace_state)

    def get_description(self) -> str:
        """See the SDK."""
        return "Hopline"
