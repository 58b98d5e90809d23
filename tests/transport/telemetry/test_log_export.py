"""Lines of a process on their way to a collector."""

import asyncio
import logging

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

from cli.logs import OfWork
from tests.transport.telemetry.collector import collecting
from transport.telemetry.log_export import OtlpHandler
from transport.telemetry.work import CURRENT, Work

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def test_a_line_arrives_with_what_it_was_written_for() -> None:
    async with collecting() as collector:
        handler = OtlpHandler("hopline-worker", OTLPLogExporter(f"{collector.url}/v1/logs"))
        handler.addFilter(OfWork())
        log = logging.Logger("streams.x")
        log.addHandler(handler)
        log.info("nobody's %s", "line", extra={"partition": 3})
        before = CURRENT.set(
            Work(
                execution_id="e", run_id="r", tenant_id="t", node_id="n", traceparent=f"00-{TRACE}-{SPAN}-01"
            )
        )
        try:
            raise ValueError("no luck")
        except ValueError:
            log.exception("gave up")
        finally:
            CURRENT.reset(before)
        own = logging.Logger("opentelemetry.x")
        own.addHandler(handler)
        own.warning("of the exporter itself")
        await asyncio.to_thread(handler.close)
    first, second = collector.logs
    assert (first["body"], first["severity"], first["service"]) == ("nobody's line", "INFO", "hopline-worker")
    assert (first["attributes"], first["trace_id"], first["scope"]) == (
        {"hopline.partition": 3}, "", "streams.x",
    )  # fmt: skip
    assert (second["trace_id"], second["span_id"]) == (TRACE, SPAN)
    told = second["attributes"]
    assert (told["hopline.run_id"], told["hopline.tenant_id"], told["hopline.node_id"]) == ("r", "t", "n")
    assert (told["exception.type"], told["exception.message"]) == ("ValueError", "no luck")
    assert "no luck" in told["exception.stacktrace"]
