"""The one way in: an event becomes a TriggerEvent record, and is accepted once the broker has it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from ingress.duplicates import RecentlyAccepted
from ingress.errors import TooLarge, Unavailable
from ingress.metrics import Metrics
from ingress.outlet import Outlet
from schemas.codec import Codec
from schemas.ids import dedup_key, now_us
from schemas.topics import MAX_MESSAGE_BYTES
from schemas.traces import TRACEPARENT, Context, child
from transport.definitions import TRIGGERS, WORKFLOWS
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed
from transport.producer import Send
from transport.telemetry.sampling import Sampler, of_event

_TOPIC, _SCHEMA = "trigger.events", "TriggerEvent"
_ENVELOPE_BYTES = 64 * 1024


@dataclass(slots=True, kw_only=True)
class Arrival:
    """An event that is fit to be accepted; fields as in TriggerEvent."""

    event_id: str
    tenant_id: str
    trigger_type: str
    index_key: str
    trigger_id: str
    window_ms: int
    received_at: int
    """Microseconds since the epoch."""
    time: str
    """The same as RFC 3339."""
    data: str
    source: str
    event_type: str
    subject: str | None = None
    created_by_role: str = "end_user"
    created_by: str | None = None
    replay_of: str | None = None
    scope: str = ""
    """Within which trigger_id names the event; "": its index key."""


class Acceptance(NamedTuple):
    """What the producer is told."""

    dedup_key: str
    first_received_at: int
    """received_at of the event that this one repeats, its own where it is new."""
    duplicate: bool


def iso(at_us: int) -> str:
    """RFC 3339 in UTC, from microseconds since the epoch."""
    at_s, fraction_us = divmod(at_us, 1_000_000)
    return f"{_second(at_s)}.{fraction_us:06d}Z"


@lru_cache(maxsize=4)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")


class Door:
    """Publishes events and remembers what it has published. Shared by all handlers of the process."""

    def __init__(
        self,
        outlet: Outlet,
        feed: DefinitionsFeed,
        codec: Codec,
        recently: RecentlyAccepted,
        metrics: Metrics,
        *,
        timeout_s: float,
        sampler: Sampler | None = None,
    ) -> None:
        """`timeout_s` is the message time-out of the producer behind `outlet`. `sampler`: None keeps all
        that the senders keep."""
        self._sampler = sampler or Sampler()
        self._outlet = outlet
        self._feed = feed
        self._codec = codec
        self._recently = recently
        self._timeout_s = timeout_s
        self._metrics = metrics

    async def accept(self, arrival: Arrival, headers: Mapping[str, str]) -> Acceptance:
        """Returns once all in-sync replicas have the event, or the spool; duplicates are published too, the
        stream decides.

        `headers` of the request: its W3C trace context goes along. Raises `TooLarge`, and `Unavailable` when
        the producer's message time-out is over (librdkafka looks once a second).
        """
        key = self._key(arrival)
        first = self._recently.first(key, arrival.received_at)
        sent = self._sampler.sent(given) if (given := headers.get(TRACEPARENT)) else None
        value = self._encode(arrival, key, sent)
        send = Send(_TOPIC, key.encode(), value, _message_headers(arrival, headers, sent))
        await self._send(send)
        if first is None:
            self._recently.remember(key, arrival.received_at, arrival.window_ms)
        self._metrics.count_accepted(arrival.trigger_type, first is not None)
        return Acceptance(key, first.received_at if first else arrival.received_at, first is not None)

    async def _send(self, send: Send) -> None:
        started = time.perf_counter()
        try:
            await self._outlet.send(send)
        except SendFailed as failed:
            raise Unavailable(
                f"the broker has not taken the event within {self._timeout_s:g} s; send it again"
            ) from failed
        self._metrics.accept_seconds.observe(time.perf_counter() - started)

    @staticmethod
    def _key(arrival: Arrival) -> str:
        scope = arrival.scope or arrival.index_key
        if arrival.window_ms:
            return dedup_key(arrival.trigger_type, scope, arrival.trigger_id)
        # Without deduplication each delivery is an event of its own.
        return dedup_key(arrival.trigger_type, scope, f"{arrival.trigger_id}:{arrival.event_id}")

    def _encode(self, arrival: Arrival, key: str, sent: Context | None) -> bytes:
        record = {
            "event_id": arrival.event_id,
            "trigger_id": arrival.trigger_id,
            "dedup_key": key,
            "dedup_window_ms": arrival.window_ms,
            "tenant_id": arrival.tenant_id,
            "trigger_type": arrival.trigger_type,
            "index_key": arrival.index_key,
            "source": arrival.source,
            "event_type": arrival.event_type,
            "subject": arrival.subject,
            "received_at": arrival.received_at,
            "data": arrival.data,
            "triggers_offset": self._feed.offset(TRIGGERS),
            "workflows_offset": self._feed.offset(WORKFLOWS),
            "created_by_role": arrival.created_by_role,
            "created_by": arrival.created_by,
            "replay_of": arrival.replay_of,
            "traceparent": of_event(sent, arrival.event_id, self._sampler.begins(arrival.event_id)),
            "published_at": now_us(),
        }
        value = self._codec.encode(_SCHEMA, record)
        if len(value) > MAX_MESSAGE_BYTES - _ENVELOPE_BYTES:
            raise TooLarge(
                f"the event takes {len(value)} bytes as JSON, more than a message may have; send less"
            )
        return value


def _message_headers(
    arrival: Arrival, request: Mapping[str, str], sent: Context | None
) -> tuple[tuple[str, bytes], ...]:
    """CloudEvents attributes (Kafka protocol binding, binary mode), and the W3C trace context that was
    sent, with the span of the event in it. Where none was, it follows from the event."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", arrival.trigger_id.encode()),
        ("ce_source", arrival.source.encode()),
        ("ce_type", arrival.event_type.encode()),
        ("ce_time", arrival.time.encode()),
        ("content-type", b"application/vnd.apache.avro"),
    ]
    if sent is not None:
        headers.append((TRACEPARENT, child(sent.traceparent, arrival.event_id).encode()))
        if state := request.get("tracestate"):
            headers.append(("tracestate", state.encode("utf-8", "replace")))
    return tuple(headers)
