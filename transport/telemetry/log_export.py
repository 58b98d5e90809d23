"""Sends the lines of a process by OTLP, from a thread of OpenTelemetry's: whoever logs does not wait."""

import logging
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.trace import TraceFlags

from transport.telemetry.resource import resource_of

_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "trace_id", "span_id"}

_OWN = ("opentelemetry", "urllib3", "requests")
"""What the exporter says itself would come back to it."""

_SEVERITY = {
    "DEBUG": SeverityNumber.DEBUG,
    "INFO": SeverityNumber.INFO,
    "WARNING": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
    "CRITICAL": SeverityNumber.FATAL,
}


class OtlpHandler(logging.Handler):
    """A handler for the root logger. Attributes of a line that are not Python's own go with it."""

    def __init__(self, service: str, exporter: LogRecordExporter | None = None) -> None:
        """`exporter`: None is OTLP over HTTP, as the environment says (OTEL_EXPORTER_OTLP_*)."""
        super().__init__()
        self._provider = LoggerProvider(resource_of(service), shutdown_on_exit=False)
        self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter or OTLPLogExporter()))

    def emit(self, record: logging.LogRecord) -> None:
        """Never raises."""
        if record.name.partition(".")[0] in _OWN:
            return
        try:
            self._provider.get_logger(record.name).emit(_line(record))
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Sends what waits. Blocks, for as long as OTEL_EXPORTER_OTLP_TIMEOUT says."""
        self._provider.shutdown()
        super().close()


def _line(record: logging.LogRecord) -> LogRecord:
    attributes = {
        f"hopline.{name}": value if isinstance(value, str | bool | int | float) else repr(value)
        for name, value in vars(record).items()
        if name not in _ATTRIBUTES
    }
    if record.exc_info and record.exc_info[0] is not None:
        attributes |= {
            "exception.type": record.exc_info[0].__name__,
            "exception.message": str(record.exc_info[1]),
            "exception.stacktrace": logging.Formatter().formatException(record.exc_info),
        }
    trace: Any = getattr(record, "trace_id", "")
    return LogRecord(
        timestamp=round(record.created * 1e9),
        observed_timestamp=round(record.created * 1e9),
        trace_id=int(trace, 16) if trace else None,
        span_id=int(record.span_id, 16) if trace else None,  # type: ignore[attr-defined]
        trace_flags=TraceFlags(TraceFlags.SAMPLED) if trace else None,
        severity_text=record.levelname,
        severity_number=_SEVERITY.get(record.levelname, SeverityNumber.UNSPECIFIED),
        body=record.getMessage(),
        attributes=attributes,
    )
