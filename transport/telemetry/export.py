"""Sends spans by OTLP, on a thread of its own: whoever has them never waits, and nothing fails for it."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

log = logging.getLogger(__name__)

SpansOf = Callable[[str, bytes | None], Iterable[ReadableSpan]]
"""Topic and value of a message to the spans that follow from it."""

Count = Callable[[str, int], None]
"""Told `exported` or `dropped`, and how many spans; or how many messages, where there was no room."""

MOST_WAITING_BYTES = 32 * 1024 * 1024
"""Of messages that wait, at most: those that come while there are as many are not told."""

_AT_ONCE = 512
"""Spans of one request, as in the batch processor of OpenTelemetry."""

_GATHER_S = 1.0
"""How long the first span waits for more."""


class SpanExport:
    """Takes messages, sends their spans. Good between its making and `close`."""

    def __init__(self, spans_of: SpansOf, count: Count, exporter: SpanExporter | None = None) -> None:
        """`exporter`: None is OTLP over HTTP, as the environment says (OTEL_EXPORTER_OTLP_*)."""
        self._spans_of = spans_of
        self._count = count
        self._exporter = exporter or OTLPSpanExporter()
        self._waiting: deque[tuple[str, bytes | None]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="span-export", daemon=True)
        self._thread.start()

    def offer(self, topic: str, values: Sequence[bytes | None]) -> None:
        """Returns at once. What there is no room for is counted, and not told."""
        taken = 0
        with self._lock:
            for value in values:
                if self._bytes >= MOST_WAITING_BYTES:
                    break
                self._waiting.append((topic, value))
                self._bytes += len(value or b"")
                taken += 1
        if taken < len(values):
            self._count("dropped", len(values) - taken)

    def close(self, timeout_s: float = 5.0) -> None:
        """Sends what waits, as far as that takes no longer. Blocks."""
        self._closing.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            log.warning("%d messages are not told by OTLP: nobody takes their spans", len(self._waiting))
        self._exporter.shutdown()

    def _work(self) -> None:
        while not (self._closing.wait(_GATHER_S) and not self._waiting):
            while self._waiting:
                self._send(self._gather())

    def _gather(self) -> list[ReadableSpan]:
        spans: list[ReadableSpan] = []
        while self._waiting and len(spans) < _AT_ONCE:
            with self._lock:
                topic, value = self._waiting.popleft()
                self._bytes -= len(value or b"")
            try:
                spans.extend(self._spans_of(topic, value))
            except Exception:  # one record must not end the thread
                log.exception("a record of %s is not told by OTLP", topic)
        return spans

    def _send(self, spans: list[ReadableSpan]) -> None:
        if not spans:
            return
        # Tries again by itself, for as long as OTEL_EXPORTER_OTLP_TIMEOUT says.
        result = self._exporter.export(spans)
        self._count("exported" if result is SpanExportResult.SUCCESS else "dropped", len(spans))
