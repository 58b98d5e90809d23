"""What a source has seen, as a trigger event."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.ids import dedup_key, entity_id
from schemas.models import AppTrigger
from schemas.traces import TRACEPARENT, context_of
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send

_DEDUP_WINDOW_MS = 7 * 24 * 3_600_000
"""What is seen again is published again: after a crash, at the latest when a worker is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceEvent:
    """One thing that has happened."""

    identity: str
    """trigger_id: the same whoever sees it and however often, and of nothing else."""
    event_type: str
    """CloudEvents type."""
    source: str
    """CloudEvents source: a URI reference."""
    data: Mapping[str, Any]
    """What the workflow gets, and filters look at."""
    subject: str | None = None
    traceparent: str | None = None
    """W3C Trace Context of whoever has made it happen, if that is known."""


def event_send(
    trigger: AppTrigger, event: SourceEvent, received_us: int, feed: DefinitionsFeed, codec: Codec
) -> Send:
    """The TriggerEvent. All but `received_us` follows from the event."""
    key = dedup_key(trigger.type, trigger.id, event.identity)
    received_at = datetime.fromtimestamp(received_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
    metadata = {**event.data.get("metadata", {}), "received_at": received_at}
    record = {
        "event_id": entity_id("source-event", key),
        "trigger_id": event.identity,
        "dedup_key": key,
        "dedup_window_ms": _DEDUP_WINDOW_MS,
        "tenant_id": trigger.tenant_id,
        "trigger_type": trigger.type,
        "index_key": trigger.id,
        "source": event.source,
        "event_type": event.event_type,
        "subject": event.subject,
        "received_at": received_us,
        "data": orjson.dumps({**event.data, "metadata": metadata}).decode(),
        "triggers_offset": feed.offset(TRIGGERS),
        "workflows_offset": feed.offset(WORKFLOWS),
        "created_by_role": "account",
        "created_by": trigger.created_by,
    }
    headers: tuple[tuple[str, bytes], ...] = ()
    if (sent := context_of(event.traceparent)) is not None:
        record["traceparent"] = sent.traceparent
        headers = ((TRACEPARENT, sent.traceparent.encode()),)
    return Send("trigger.events", key.encode(), codec.encode("TriggerEvent", record), headers)
