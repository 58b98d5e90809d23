"""The spans of the history's records, as OTLP has them: the same as the view `spans` shows (migration 0005).

A record is a span once what it tells of is over. Written again, it is the same span: its id is the record's.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.errors import UndecodableValue
from schemas.topics import TOPICS
from schemas.traces import NO_SPAN, span_id, trace_id
from transport.telemetry.resource import resource_of
from transport.telemetry.work import CALLS

_SCOPE = InstrumentationScope("hopline")
_ROUTES = {
    "WEBHOOK": "/triggers/webhook/{webhook_id}",
    "PLUGIN": "/triggers/plugin/{endpoint_id}",
    "GITHUB": "/api/v1/github/webhook",
    "SLACK": "/api/v1/slack/events",
    "CLOUDEVENTS": "/api/v1/events",
    "MANUAL": "/api/v1/triggers/workflows/{workflow_id}/manual",
}
_FAILED = ("failed", "exception", "retry")


class Spans:
    """Makes them of the messages of history topics. Used on one thread."""

    TOPICS = frozenset({"trigger.events", "trigger.logs", "runs", "node.executions"})

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._ingress = resource_of("hopline-ingress")
        self._worker = resource_of("hopline-worker")
        self._makers: Mapping[str, Callable[[AvroRecord], Iterator[ReadableSpan]]] = {
            "trigger.events": self._event,
            "trigger.logs": self._log,
            "runs": self._run,
            "node.executions": self._node,
        }

    def of(self, topic: str, value: bytes | None) -> Iterator[ReadableSpan]:
        """Those of one message; none for what goes on, is not sampled, or cannot be read."""
        try:
            record = self._codec.decode(TOPICS[topic].schema or "", value)
        except UndecodableValue:
            return  # the table has told
        traceparent: str | None = record["traceparent"]
        if traceparent is None or traceparent.endswith("1"):
            yield from self._makers[topic](record)

    def _event(self, event: AvroRecord) -> Iterator[ReadableSpan]:
        if event["published_at"] is None:
            return
        kind, data = event["trigger_type"], orjson.loads(event["data"])
        source = data.get("source") or {}
        route = _ROUTES.get(kind, kind.lower())
        yield self._span(
            f"HTTP {route}",
            _context(event["traceparent"], event["event_id"], event["event_id"]),
            (event["received_at"], event["published_at"]),
            {
                "http.route": route,
                "http.request.method": data.get("method"),
                "url.path": data.get("path"),
                "client.address": source.get("ip"),
                "user_agent.original": source.get("user_agent"),
                "hopline.tenant.id": event["tenant_id"],
                "hopline.event.id": event["event_id"],
                "hopline.trigger.type": kind,
                "hopline.trigger.event": event["trigger_id"],
                "hopline.replay_of": event["replay_of"],
            },
            kind=SpanKind.SERVER,
            resource=self._ingress,
        )

    def _log(self, log: AvroRecord) -> Iterator[ReadableSpan]:
        # Each change of a log that has begun says when: the last one is told.
        if log["finished_at"] is None:
            return
        begun_at = log["triggered_at"] if log["triggered_at"] is not None else log["finished_at"]
        _, partition, offset = (["", "", *(log["task_id"] or "").split("/")])[-3:]
        yield self._span(
            "process trigger.events",
            _context(log["traceparent"], log["event_id"] or log["id"], log["id"]),
            (log["created_at"], begun_at),
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": "trigger.events",
                "messaging.destination.partition.id": partition,
                "messaging.kafka.offset": offset,
                "hopline.tenant.id": log["tenant_id"],
                "hopline.app.id": log["app_id"],
                "hopline.workflow.id": log["workflow_id"],
                "hopline.run.id": log["workflow_run_id"],
                "hopline.event.id": log["event_id"],
                "hopline.trigger_log.id": log["id"],
                "hopline.trigger.type": log["trigger_type"],
                "hopline.queue": log["queue_name"],
                "hopline.refusal": log["error"] if log["workflow_run_id"] is None else None,
            },
            kind=SpanKind.CONSUMER,
        )

    def _run(self, run: AvroRecord) -> Iterator[ReadableSpan]:
        if run["finished_at"] is None:
            return
        status = {"FAILED": StatusCode.ERROR, "SUCCEEDED": StatusCode.OK}.get(run["status"], StatusCode.UNSET)
        yield self._span(
            f"run {run['workflow_id']}",
            _context(run["traceparent"], run["id"], run["id"]),
            (run["created_at"], run["finished_at"]),
            {
                "hopline.tenant.id": run["tenant_id"],
                "hopline.app.id": run["app_id"],
                "hopline.workflow.id": run["workflow_id"],
                "hopline.workflow.version": run["version"],
                "hopline.run.id": run["id"],
                "hopline.run.type": run["type"],
                "hopline.run.triggered_from": run["triggered_from"],
                "hopline.run.status": run["status"],
                "hopline.run.steps": run["total_steps"],
                "hopline.run.exceptions": run["exceptions_count"],
                "hopline.run.total_tokens": run["total_tokens"],
            },
            status=_status(status, run["error"]),
        )

    def _node(self, node: AvroRecord) -> Iterator[ReadableSpan]:
        if node["finished_at"] is None:
            return
        metadata, told = _object(node["execution_metadata"]), _object(node["process_data"])
        usage = told.get("usage") or {}
        status = StatusCode.OK if node["status"] == "succeeded" else StatusCode.UNSET
        status = StatusCode.ERROR if node["status"] in _FAILED else status
        price = metadata.get("total_price")
        context = _context(node["traceparent"], node["workflow_run_id"] or node["id"], node["id"])
        yield self._span(
            f"{node['node_type']} {node['title']}",
            context,
            (node["created_at"], node["finished_at"]),
            {
                **_place(node),
                "hopline.app.id": node["app_id"],
                "hopline.node.type": node["node_type"],
                "hopline.node.title": node["title"],
                "hopline.node.index": node["index"],
                "hopline.node.status": node["status"],
                "hopline.node.retry": metadata.get("retry_index"),
                "hopline.node.iteration": metadata.get("iteration_index"),
                "hopline.node.loop": metadata.get("loop_index"),
                "hopline.node.total_tokens": metadata.get("total_tokens") or None,
                "hopline.node.total_price": float(price) if price and float(price) else None,
                "gen_ai.provider.name": told.get("model_provider"),
                "gen_ai.request.model": told.get("model_name"),
                "gen_ai.usage.input_tokens": usage.get("prompt_tokens"),
                "gen_ai.usage.output_tokens": usage.get("completion_tokens"),
            },
            status=_status(status, node["error"]),
        )
        for call in metadata.get(CALLS) or ():
            yield self._call(node, context[0], call)

    def _call(self, node: AvroRecord, under: SpanContext, call: Mapping[str, Any]) -> ReadableSpan:
        went_wrong = bool(call["error"]) or call["status"] >= 400
        return self._span(
            call["method"],
            (_remote(under.trace_id, int(call["span"], 16)), under),
            (call["at"], call["at"] + call["us"]),
            {
                "http.request.method": call["method"],
                "url.full": call["url"],
                "server.address": call["host"],
                "server.port": call["port"],
                "http.response.status_code": call["status"] or None,
                "error.type": call["error"],
                **_place(node),
            },
            kind=SpanKind.CLIENT,
            status=_status(StatusCode.ERROR if went_wrong else StatusCode.UNSET, call["error"]),
        )

    def _span(
        self,
        name: str,
        contexts: tuple[SpanContext, SpanContext | None],
        times_us: tuple[int, int],
        attributes: Mapping[str, Any],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        status: Status | None = None,
        resource: Resource | None = None,
    ) -> ReadableSpan:
        begun_us, ended_us = times_us
        return ReadableSpan(
            name,
            context=contexts[0],
            parent=contexts[1],
            resource=resource or self._worker,
            attributes={key: value for key, value in attributes.items() if value not in (None, "")},
            kind=kind,
            status=status or Status(StatusCode.UNSET),
            start_time=begun_us * 1000,
            end_time=max(begun_us, ended_us) * 1000,
            instrumentation_scope=_SCOPE,
        )


def _context(traceparent: str | None, default: str, record_id: str) -> tuple[SpanContext, SpanContext | None]:
    """The span of a record, and what it is under. `default`: the record that names a trace if nobody has."""
    trace, parent = (traceparent[3:35], traceparent[36:52]) if traceparent else (trace_id(default), NO_SPAN)
    own = _remote(int(trace, 16), int(span_id(record_id), 16))
    return own, None if parent == NO_SPAN else _remote(own.trace_id, int(parent, 16))


def _remote(trace: int, span: int) -> SpanContext:
    return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _place(node: AvroRecord) -> dict[str, Any]:
    return {
        "hopline.tenant.id": node["tenant_id"],
        "hopline.workflow.id": node["workflow_id"],
        "hopline.run.id": node["workflow_run_id"],
        "hopline.node.id": node["node_id"],
        "hopline.node.execution.id": node["node_execution_id"],
    }


def _status(code: StatusCode, error: str | None) -> Status:
    """Only an error has a description."""
    return Status(code, error if code is StatusCode.ERROR and error else None)


def _object(document: str | None) -> Mapping[str, Any]:
    found = orjson.loads(document) if document else {}
    return found if isinstance(found, dict) else {}
