"""What a role in the foreground says on stderr: lines for people on a terminal, JSON lines for machines."""

import logging
import sys
from datetime import UTC, datetime
from importlib import import_module
from typing import TextIO

import orjson

from cli.plain import lines, one_line
from cli.settings import LogSettings
from schemas.traces import context_of
from transport.telemetry.work import CURRENT

# Chatty below WARNING, and about things that nobody who runs a role can act on.
_QUIET = ("faust", "mode", "aiokafka", "aiohttp.access", "asyncio", "clickhouse_connect", "httpx2", "mcp")

_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class JsonLines(logging.Formatter):
    """One object a line: time (RFC 3339), level, logger, message, what was passed as `extra`, stack."""

    def format(self, record: logging.LogRecord) -> str:
        """Never raises: a value that JSON cannot hold is written as its text."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _ATTRIBUTES},
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)
        options = orjson.OPT_NON_STR_KEYS
        return orjson.dumps(line, default=repr, option=options).decode("utf-8", "replace")


class PlainLines(logging.Formatter):
    """`12:00:00.000 INFO  logger: message`, without anything that would steer the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the stack under it."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S.%f")[:-3]
        line = f"{at} {record.levelname:<7} {record.name}: {one_line(record.getMessage())}"
        return f"{line}\n{lines(self.formatException(record.exc_info))}" if record.exc_info else line


class OfWork(logging.Filter):
    """Says of each line what it was written for: the run, the node and the trace that is worked on."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every line pass."""
        if (work := CURRENT.get()) is not None:
            record.tenant_id, record.run_id = work.tenant_id, work.run_id
            record.node_id, record.node_execution_id = work.node_id, work.execution_id
            if (context := context_of(work.traceparent)) is not None:
                record.trace_id, record.span_id = context.trace_id, context.span_id
        return True


def set_up_logging(
    settings: LogSettings, stream: TextIO = sys.stderr, *, service: str = "hopline", otlp: bool = False
) -> None:
    """Replaces whatever handlers there are. Called once, by the command that runs a role.

    `otlp`: the lines go to a collector as well, as those of `service`.
    """
    handler: logging.Handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainLines() if stream.isatty() else JsonLines())
    handlers = [handler]
    if otlp:
        # Its libraries take memory that nobody else should have to give.
        handlers.append(import_module("transport.telemetry.log_export").OtlpHandler(service))
    root = logging.getLogger()
    root.handlers[:] = handlers
    for one in handlers:
        one.addFilter(OfWork())
    root.setLevel(settings.level)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
