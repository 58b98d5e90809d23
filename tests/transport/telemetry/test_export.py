"""Spans on their way to a collector."""

import asyncio
import time
from collections import Counter

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from sinks.spans import Spans
from tests.sinks import records
from tests.sinks.records import CODEC
from tests.transport.telemetry.collector import collecting
from transport.telemetry.export import MOST_WAITING_BYTES, SpanExport

TOLD = Spans(CODEC).of


def ended_run(**changes: object) -> bytes:
    run = records.run(status="SUCCEEDED", finished_at=records.START_US + 1_500_000, **changes)
    return CODEC.encode("WorkflowRun", run)


def exporting(url: str, counts: Counter[str], timeout_s: float = 10) -> SpanExport:
    exporter = OTLPSpanExporter(f"{url}/v1/traces", timeout=timeout_s)
    return SpanExport(TOLD, lambda outcome, count: counts.update({outcome: count}), exporter)


async def test_what_is_offered_arrives() -> None:
    counts: Counter[str] = Counter()
    async with collecting() as collector:
        export = exporting(collector.url, counts)
        export.offer("runs", [ended_run(), CODEC.encode("WorkflowRun", records.run()), b"no avro", None])
        export.offer("runs", [ended_run() for _ in range(600)])
        await asyncio.to_thread(export.close)
    assert (len(collector.spans), collector.requests) == (601, 2)
    assert {span["SpanName"] for span in collector.spans} == {f"run {records.WORKFLOW}"}
    assert {span["Duration"] for span in collector.spans} == {1_500_000_000}
    assert counts == {"exported": 601}


async def test_what_nobody_takes_is_counted() -> None:
    counts: Counter[str] = Counter()
    async with collecting() as collector:
        collector.status = 400
        export = exporting(collector.url, counts)
        export.offer("runs", [ended_run()])
        await asyncio.to_thread(export.close)
    assert (collector.spans, counts) == ([], {"dropped": 1})


async def test_a_collector_that_is_away_holds_nobody_up() -> None:
    counts: Counter[str] = Counter()
    async with collecting() as collector:
        url = collector.url
    export = exporting(url, counts, timeout_s=0.2)
    export.offer("runs", [ended_run()])
    started = time.monotonic()
    await asyncio.to_thread(export.close, 30)
    assert time.monotonic() - started < 30
    assert counts == {"dropped": 1}


async def test_there_is_room_for_so_much_only() -> None:
    counts: Counter[str] = Counter()
    large = b"x" * (MOST_WAITING_BYTES // 2)
    async with collecting() as collector:
        export = exporting(collector.url, counts)
        with export._lock:
            # The thread takes nothing meanwhile.
            export._bytes = MOST_WAITING_BYTES
        export.offer("runs", [large, large])
        await asyncio.to_thread(export.close)
    assert counts == {"dropped": 2}
