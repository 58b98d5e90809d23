"""Deterministic identities: doing a thing twice gives the same ids, so that its records fold into one."""

import hashlib
import random
import secrets
import time
import uuid
from typing import Any

import orjson

_NAMESPACE = uuid.UUID("6c0f4ad1-2f0e-5b7a-9d0c-8e7f3a5b1c42")
_NAMESPACE_BYTES = _NAMESPACE.bytes
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in UTF-8: equal values give equal bytes.

    Raises `TypeError` for what JSON cannot hold.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def content_id(value: Any) -> str:
    """The trigger_id of a delivery without an id of its own: SHA-256 of its canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def bytes_id(value: bytes) -> str:
    """`content_id` for a body that is not JSON."""
    return hashlib.sha256(value).hexdigest()


def schedule_id(trigger: str, scheduled_at_ms: int, backfill_id: str) -> str:
    """The trigger_id of a schedule's firing: whoever fires it, and however often. A backfill fires anew."""
    return f"schedule-{trigger}-{scheduled_at_ms}" + (f"-{backfill_id}" if backfill_id else "")


def schedule_event_id(dedup_key: str) -> str:
    """The event_id of a schedule's firing, likewise."""
    return _name_id(f"event/{dedup_key}")


def dedup_key(trigger_type: str, index_key: str | None, trigger_id: str) -> str:
    """trigger_id within its endpoint, since two endpoints may receive the same delivery id."""
    return f"{trigger_type}:{index_key or ''}:{trigger_id}"


def workflow_run_id(dedup_key: str, occurrence: int, way: str) -> str:
    """The run that an event starts of a workflow.

    `way` is the id of the workflow; with a slash and the id of the trigger behind it where several triggers
    look at the same events.

    `occurrence` is the received_at (microseconds) of the event that got through deduplication, so that equal
    content after its window has passed is a new run; of a schedule it is the scheduled time.
    """
    return _name_id(f"run/{dedup_key}/{occurrence}/{way}")


def retried_run_id(first_run_id: str, attempt: int) -> str:
    """The run that starts again what the first one was started for."""
    return _name_id(f"retry/{first_run_id}/{attempt}")


def conversation_id(run_id: str) -> str:
    """The conversation that a run begins when it is told of none."""
    return _name_id(f"conversation/{run_id}")


def conversation_key(tenant_id: str, app_id: str, conversation_id: str) -> str:
    """Which conversation: callers choose their ids, so those of two apps may be the same."""
    return _name_id(f"conversation/{tenant_id}/{app_id}/{conversation_id}")


def trigger_log_id(event_id: str, way: str | None) -> str:
    """The log of one delivery's way to one workflow, or to none: `way` as in `workflow_run_id`."""
    return _name_id(f"log/{event_id}/{way or ''}")


def node_execution_id(run_id: str, node_id: str, path: str = "", attempt: int = 1) -> str:
    """One attempt at one node. `path` tells the rounds of the enclosing iterations and loops apart."""
    return _name_id(f"node/{run_id}/{node_id}/{path}/{attempt}")


def called_run_id(node_execution_id: str) -> str:
    """The run of the workflow that this attempt at a tool node calls."""
    return _name_id(f"call/{node_execution_id}")


def gate_key(owner: str, kind: str, key: str) -> str:
    """The gate of a kind before a workflow or trigger, for the events that share `key`, of any length."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:32] if key else ""
    return f"{owner}:{kind}:{digest}"


def dead_letter_id(topic: str, partition: int, offset: int, timestamp_ms: int) -> str:
    """The letter of one record: the same record is the same letter. A topic that is made anew has other
    records at the same places, and the history still has the letters of the former ones."""
    return _name_id(f"letter/{topic}/{partition}/{offset}@{timestamp_ms}")


def row_letter_id(topic: str, partition: int, key: bytes, value: bytes) -> str:
    """The letter of one row that could not be served, as it was then; `topic` is its changelog."""
    return _name_id(f"letter/{topic}/{partition}/{key.hex()}@{bytes_id(value)}")


def entity_id(*parts: str) -> str:
    """The id of something that is imported or created idempotently under an external name."""
    return _name_id("entity/" + "/".join(parts))


def new_id() -> str:
    """A random UUID, for what has no identity before it exists: a delivery, a click. Guessable: no secret."""
    # uuid4() reads os.urandom, which gives up the interpreter's lock: on the hot path of the ingress, which
    # shares the process with a polling thread, that cost a fifth of the CPU time of a request.
    return _uuid_text(f"{random.getrandbits(128):032x}", "4")


def endpoint_id() -> str:
    """URL-safe and unguessable (144 bits), for webhook_id and endpoint_id."""
    return secrets.token_urlsafe(18)


def now_us() -> int:
    """Microseconds since the epoch, UTC: the unit of every timestamp in the records."""
    return time.time_ns() // 1000


def _name_id(name: str) -> str:
    """`str(uuid.uuid5(_NAMESPACE, name))` at a third of its time: each node execution needs one."""
    digest = hashlib.sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return _uuid_text(digest, "5")


def _uuid_text(digits: str, version: str) -> str:
    """The UUID of that version (RFC 9562) made of the first 32 hex digits."""
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-{version}{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
