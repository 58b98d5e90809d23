"""What a sink counts, as a scrape shows it."""

import time
from collections.abc import Sequence

from confluent_kafka import Message
from prometheus_client import CollectorRegistry, generate_latest

from sinks.batch import Batch
from sinks.letters import LetterBox, Poison
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from sinks.writing import BatchWriter
from tests.sinks.records import CODEC


class Taken:
    """A table that takes everything."""

    name = "workflow_run_changes"

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        return []


async def test_it_tells_how_old_what_it_writes_is_when_it_can_be_queried() -> None:
    registry = CollectorRegistry()
    writer = BatchWriter(None, CODEC, LetterBox(None, CODEC), SinkMetrics(registry))  # type: ignore[arg-type]
    writer._writers = {"runs": Taken()}
    batch = Batch(SinkSettings())
    for offset, age_s in enumerate((40, 2)):
        batch.add("runs", [_message(b"x", offset, int((time.time() - age_s) * 1000))], 0.0)
    assert await writer.write(batch) == {}
    value = registry.get_sample_value
    table = {"table": "workflow_run_changes"}
    assert value("hopline_sink_rows_total", table) == 2
    assert value("hopline_sink_insert_seconds_count", table) == 1
    assert value("hopline_sink_delay_seconds_count", table) == 1, "once for an insert"
    assert value("hopline_sink_delay_seconds_sum", table) > 39  # type: ignore[operator]


def test_what_it_holds_is_shown_whenever_it_is_asked_for() -> None:
    registry = CollectorRegistry()
    metrics, batch = SinkMetrics(registry), Batch(SinkSettings())
    metrics.watch("stalled", (batch,))
    batch.add("runs", [_message(b"12345", 0, 0)], 0.0)
    shown = generate_latest(registry).decode()
    assert 'hopline_sink_held_records{state="stalled"} 1.0' in shown


def _message(value: bytes, offset: int, written_ms: int) -> Message:
    return Message(topic="runs", partition=0, offset=offset, key=b"key", value=value, headers=[],
                   timestamp=(1, written_ms))  # fmt: skip
