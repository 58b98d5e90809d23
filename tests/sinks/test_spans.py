"""The history as spans and as log lines: in ClickHouse, and the same by OTLP."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import orjson
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from prometheus_client import CollectorRegistry

from schemas.topics import TOPICS
from schemas.traces import child, span_id, trace_id
from sinks.batch import Batch
from sinks.letters import LetterBox
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from sinks.spans import Spans
from sinks.table import Table
from sinks.writing import BatchWriter
from tests.sinks import records
from tests.sinks.records import CODEC, START_US, message
from tests.transport.telemetry.collector import Collector, collecting
from transport.clickhouse import ClickHouse
from transport.telemetry.export import SpanExport
from transport.telemetry.settings import OtlpSettings

EVENT, LOG, RUN, NODE, INNER = (f"{n}1111111-2222-4333-8444-55555555555{n}" for n in "12345")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"
END_US = START_US + 2_000_000
CALL = {
    "at": START_US + 1_000, "us": 1_500, "method": "POST", "url": "https://api.example.com/v1/chat",
    "host": "api.example.com", "port": 443, "status": 429, "error": "", "span": "00000000000000aa",
}  # fmt: skip
DATA = {
    "method": "PUT", "path": "/triggers/webhook/w1", "source": {"ip": "10.0.0.1", "user_agent": "curl"}
}  # fmt: skip
HISTORY: list[tuple[str, dict[str, Any]]] = [
    (
        "trigger.events",
        records.event(
            event_id=EVENT,
            traceparent=SENT,
            data=orjson.dumps(DATA).decode(),
            published_at=START_US + 700,
        ),
    ),
    (
        "trigger.logs",
        records.trigger_log(
            id=LOG,
            event_id=EVENT,
            workflow_run_id=RUN,
            traceparent=child(SENT, EVENT),
            status="SUCCESS",
            task_id="trigger.events/3/17",
            triggered_at=START_US + 5_000,
            finished_at=END_US,
        ),
    ),
    (
        "runs",
        records.run(
            id=RUN,
            traceparent=child(SENT, LOG),
            status="FAILED",
            error="it broke",
            total_tokens=12,
            total_steps=2,
            created_at=START_US + 5_000,
            finished_at=END_US,
        ),
    ),
    (
        "node.executions",
        records.node(
            id=NODE,
            node_execution_id=NODE,
            workflow_run_id=RUN,
            traceparent=child(SENT, RUN),
            node_id="ask",
            node_type="llm",
            title="Ask",
            finished_at=END_US,
            process_data=orjson.dumps(
                {
                    "model_provider": "openai",
                    "model_name": "gpt",
                    "usage": {"prompt_tokens": 9, "completion_tokens": 3},
                }
            ).decode(),
            execution_metadata=orjson.dumps(
                {"total_tokens": 12, "total_price": "0.25", "iteration_index": 0, "calls": [CALL]}
            ).decode(),
        ),
    ),
    (
        "node.executions",
        records.node(
            id=INNER,
            node_execution_id=INNER,
            workflow_run_id=RUN,
            traceparent=child(SENT, NODE),
            node_id="work",
            node_type="code",
            title="Work",
            status="retry",
            error="it broke",
            finished_at=END_US + 10,
            process_data=orjson.dumps({"stdout": "one\ntwo\n", "traceback": "Traceback: ..."}).decode(),
            execution_metadata=orjson.dumps(
                {
                    "retry_index": 1,
                    "agent_log": [
                        {"label": "ROUND 1", "status": "success", "error": None,
                         "metadata": {"started_at": START_US / 1e6 + 0.5}},
                        {"label": "CALL x", "status": "error", "error": "no such tool",
                         "metadata": {"started_at": START_US / 1e6 + 0.75}},
                    ],
                }
            ).decode(),
        ),
    ),
]  # fmt: skip
LEFT_OUT = f"00-{'a' * 32}-00f067aa0ba902b7-00"
SILENT: list[tuple[str, dict[str, Any]]] = [
    # What goes on, what is not sampled, what has no span of its own.
    ("trigger.events", records.event()),
    ("trigger.events", records.event(traceparent=LEFT_OUT, published_at=START_US)),
    ("trigger.logs", records.trigger_log()),
    ("runs", records.run()),
    ("runs", records.run(traceparent=LEFT_OUT, finished_at=END_US)),
    ("node.executions", records.node(finished_at=None)),
    ("node.executions", records.node(traceparent=LEFT_OUT, finished_at=END_US)),
]


def encoded(topic: str, record: Mapping[str, Any]) -> bytes:
    return CODEC.encode(TOPICS[topic].schema or "", record)


async def write(database: ClickHouse, history: list[tuple[str, dict[str, Any]]]) -> None:
    for topic, record in history:
        sent = message(topic, encoded(topic, record))
        assert await Table(topic, database, CODEC).write([sent]) == []


async def told(history: list[tuple[str, dict[str, Any]]]) -> Collector:
    async with collecting() as collector:
        exporter = SpanExport(
            Spans(CODEC).of, lambda outcome, count: None, OTLPSpanExporter(f"{collector.url}/v1/traces")
        )
        for topic, record in history:
            exporter.offer(topic, [encoded(topic, record)])
        await asyncio.to_thread(exporter.close)
    return collector


async def spans_in(database: ClickHouse, where: str = "1") -> list[dict[str, Any]]:
    sql = (
        "SELECT toUnixTimestamp64Nano(Timestamp) AS Timestamp, TraceId, SpanId, ParentSpanId, SpanName, "
        "SpanKind, ServiceName, SpanAttributes, Duration, StatusCode, StatusMessage FROM spans "
        f"WHERE {where} ORDER BY Timestamp, SpanId"
    )
    rows = (await database.query(sql)).dicts()
    return [{**row, "Timestamp": int(row["Timestamp"]), "Duration": int(row["Duration"])} for row in rows]


async def test_clickhouse_and_a_collector_are_told_the_same(database: ClickHouse) -> None:
    again = [(topic, {**record, "revision": 2}) for topic, record in HISTORY if "revision" in record]
    await write(database, HISTORY + SILENT + again + HISTORY)
    shown = await spans_in(database)
    collector = await told(HISTORY + SILENT)
    assert shown == sorted(collector.spans, key=lambda span: (span["Timestamp"], span["SpanId"]))
    # One tree: sender, door, router, run, node, its request and what is within it.
    assert {span["TraceId"] for span in shown} == {TRACE}
    parents = {span["SpanId"]: span["ParentSpanId"] for span in shown}
    assert parents == {
        span_id(EVENT): "00f067aa0ba902b7",
        span_id(LOG): span_id(EVENT),
        span_id(RUN): span_id(LOG),
        span_id(NODE): span_id(RUN),
        span_id(INNER): span_id(NODE),
        CALL["span"]: span_id(NODE),
    }
    by_kind = {span["SpanKind"]: span for span in shown if span["SpanKind"] != "Internal"}
    assert by_kind["Server"]["SpanName"] == "HTTP /triggers/webhook/{webhook_id}"
    assert (by_kind["Server"]["ServiceName"], by_kind["Server"]["Duration"]) == ("hopline-ingress", 700_000)
    assert by_kind["Consumer"]["SpanAttributes"]["messaging.kafka.offset"] == "17"
    assert by_kind["Client"]["SpanAttributes"]["http.response.status_code"] == "429"
    assert by_kind["Client"]["StatusCode"] == "Error"
    (node,) = [span for span in shown if span["SpanName"] == "llm Ask"]
    assert node["SpanAttributes"]["gen_ai.usage.input_tokens"] == "9"
    assert node["SpanAttributes"]["hopline.node.total_price"] == "0.25"


async def test_what_came_before_traces_is_in_a_trace_of_its_own(database: ClickHouse) -> None:
    """Records without a context: of earlier releases, and of events that nobody has sent one with."""
    before = [
        (topic, {**record, "traceparent": None}) for topic, record in HISTORY if topic != "trigger.events"
    ]
    await write(database, before)
    shown = await spans_in(database)
    traces = {span["SpanId"]: span["TraceId"] for span in shown}
    assert traces[span_id(LOG)] == trace_id(EVENT)
    assert traces[span_id(RUN)] == traces[span_id(NODE)] == trace_id(RUN)
    collector = await told(before)
    assert shown == sorted(collector.spans, key=lambda span: (span["Timestamp"], span["SpanId"]))


async def test_a_trace_is_found_without_reading_all(database: ClickHouse) -> None:
    """As the panels of Grafana look for one: the time of the trace first."""
    await write(database, HISTORY)
    found = await database.query(
        "WITH (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS since, "
        "(SELECT max(End) + 1 FROM otel_traces_trace_id_ts WHERE TraceId = {trace:String}) AS until "
        "SELECT SpanId, Events.Name, Links.TraceId, ResourceAttributes['service.name'] FROM otel_traces "
        "WHERE TraceId = {trace:String} AND Timestamp >= since AND Timestamp <= until",
        {"trace": TRACE},
    )
    assert len(found.rows) == 6
    for view in ("spans", "otel_logs"):
        plan = await database.query(f"EXPLAIN indexes = 1 SELECT * FROM {view} WHERE TraceId = '{TRACE}'")
        assert "by_trace" in str(plan.rows), view


async def test_what_nodes_have_said_is_in_lines(database: ClickHouse) -> None:
    await write(database, HISTORY)
    found = await database.query(
        "SELECT level, source, text, node_id FROM run_logs WHERE run_id = {run:UUID} "
        "ORDER BY timestamp, node_index, line",
        {"run": RUN},
    )
    assert found.rows == [
        ["WARN", "call", "POST https://api.example.com/v1/chat: 429 after 1.5 ms", "ask"],
        ["INFO", "agent", "ROUND 1", "work"],
        ["ERROR", "agent", "CALL x: no such tool", "work"],
        ["INFO", "stdout", "one", "work"],
        ["INFO", "stdout", "two", "work"],
        ["ERROR", "traceback", "Traceback: ...", "work"],
        ["WARN", "error", "it broke", "work"],
    ]
    logs = await database.query(
        "SELECT SpanId, SeverityText, SeverityNumber, Body, LogAttributes['hopline.run.id'] FROM otel_logs "
        f"WHERE TraceId = '{TRACE}' AND Body = 'two'"
    )
    assert logs.rows == [[span_id(INNER), "INFO", 9, "two", RUN]]


async def test_a_collector_is_told_what_has_been_written_and_nothing_else(database: ClickHouse) -> None:
    registry = CollectorRegistry()
    metrics, batch = SinkMetrics(registry), Batch(SinkSettings())
    for number, (topic, record) in enumerate(HISTORY):
        batch.add(topic, [message(topic, encoded(topic, record), number)], 0)
    batch.add("dead.letters", [message("dead.letters", encoded("dead.letters", records.dead_letter()))], 0)
    async with collecting() as collector:
        exporter = OTLPSpanExporter(f"{collector.url}/v1/traces")
        export = SpanExport(Spans(CODEC).of, metrics.told_spans, exporter)
        writer = BatchWriter(database, CODEC, cast(LetterBox, None), metrics, export)
        assert await writer.write(batch, held=frozenset({"trigger.logs"})) != {}
        await asyncio.to_thread(export.close)
    # The log waits for what came before it: it is told once it is written.
    assert len(collector.spans) == 5
    assert span_id(LOG) not in {span["SpanId"] for span in collector.spans}
    assert registry.get_sample_value("hopline_sink_spans_total", {"outcome": "exported"}) == 5


def test_nothing_is_sent_without_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def sends(**environment: str) -> tuple[bool, bool]:
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            return OtlpSettings().sends_traces, OtlpSettings().sends_logs

    url = "http://127.0.0.1:4318"
    assert sends() == (False, False)
    assert sends(OTEL_EXPORTER_OTLP_ENDPOINT=url) == (True, True)
    assert sends(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=url) == (True, False)
    assert sends(OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=url) == (False, True)
    assert sends(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_TRACES_EXPORTER="none") == (False, True)
    assert sends(OTEL_EXPORTER_OTLP_ENDPOINT=url, OTEL_SDK_DISABLED="true") == (False, False)
