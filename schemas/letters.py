"""Dead letters as records: what they hold, which letter a record that fails again is, what still fits. Pure.

A letter is one record that one stage gave up on. Sent again, the record carries the id of its letter in the
header `hopline-letter`; if it fails once more, it is the same letter with one more attempt, at its new place.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.codec import Codec, Record
from schemas.errors import UndecodableValue
from schemas.ids import now_us
from schemas.topics import MAX_MESSAGE_BYTES, TOPICS
from schemas.traces import TRACEPARENT, Context, context_of, of_record

TOPIC, SCHEMA = "dead.letters", "DeadLetter"
PENDING, REPLAYED = "PENDING", "REPLAYED"

SINK = "sink"
"""The one stage that reads topics which others read as well."""

HEADER = "hopline-letter"
"""On a record that is sent again: id of its letter, attempts so far, the stage that it is meant for, and
whether it is a record or a row of that stage."""

CUT_HEADER = "hopline-cut"
"""Among the headers of a letter whose record did not fit into a message: the bytes that its value had."""

_MAX_REASON_CHARS = 2_000
_MAX_STACK_CHARS = 16_000
_KEY_AND_HEADERS_BYTES = 1024 * 1024
"""Larger ones are cut as well."""
_ROOM_BYTES = MAX_MESSAGE_BYTES - 256 * 1024
"""For the original record, beside reason, stack and the key of the message."""

Headers = Sequence[tuple[str, bytes | None]]


class Place(NamedTuple):
    """Where a record is. `topic` is the registry's name, or says which source it came from."""

    topic: str
    partition: int
    offset: int


class Origin(NamedTuple):
    """Where a record belongs; None for what it does not say."""

    tenant_id: str | None = None
    trace: Context | None = None
    """Where it stands in one: as its header says, else as follows from its ids."""


@dataclass(frozen=True, slots=True)
class Return:
    """What the header of a record that is sent again says."""

    letter_id: str
    attempts: int
    """That have failed."""
    stage: str
    """The one that gave up."""
    is_row: bool = False
    """It is no record of its topic, but a row that the stage had kept, and is to serve now."""

    def is_of(self, stage: str) -> bool:
        """Whether this stage has it: of all that read a topic, one is the sink and one is not."""
        return (self.stage == SINK) == (stage == SINK)

    def header(self) -> tuple[str, bytes]:
        """For the record."""
        kind = "row" if self.is_row else "record"
        return HEADER, f"{self.letter_id} {self.attempts} {self.stage} {kind}".encode()


def returned(headers: Headers) -> Return | None:
    """Of which letter a record is another attempt; None for what was never a letter."""
    for name, value in headers:
        if name == HEADER:
            return _return(value or b"")
    return None


def is_meant_for(stage: str, headers: Headers) -> bool:
    """Whether a stage has to look at a record.

    What is sent again for the sink has had its effect in the other stage that reads its topic, maybe long
    ago, and what is sent again for a stage is in the history, or has a letter of its own.
    """
    found = returned(headers)
    return found is None or found.is_of(stage)


def dead_letter(
    place: Place,
    content: tuple[bytes | None, bytes | None, Headers],
    origin: Origin,
    *,
    letter_id: str,
    stage: str,
    reason: str,
    stack: str = "",
) -> Record:
    """A `DeadLetter`, which fits into a message.

    `content`: key, value and headers of the record; `letter_id`: for one that was never a letter before.
    """
    key, value, headers = content
    before = returned(headers)
    if before is not None and not before.is_of(stage):
        before = None
    attempts = before.attempts + 1 if before else 1
    return {
        "id": before.letter_id if before else letter_id,
        **place._asdict(),
        **_fitting(key, value, [(name, content or b"") for name, content in headers if name != HEADER]),
        "stage": stage,
        "reason": reason[:_MAX_REASON_CHARS],
        "stack": stack[-_MAX_STACK_CHARS:],
        "attempts": attempts,
        "status": PENDING,
        "tenant_id": origin.tenant_id,
        "trace_id": origin.trace.trace_id if origin.trace else None,
        "created_at": now_us(),
        # One for each attempt and one for each time that it was sent again: whoever writes the same state of
        # a letter twice writes the same revision.
        "revision": 2 * attempts - 1,
    }


def log_extra(letter: Record, origin: Origin) -> dict[str, str]:
    """What a line of the log has besides its text: which letter, whose and in which trace, if known."""
    said = {"dead_letter_id": letter["id"], "tenant_id": letter["tenant_id"]}
    if origin.trace is not None:
        said |= {"trace_id": origin.trace.trace_id, "span_id": origin.trace.span_id}
    return {name: value for name, value in said.items() if value}


def closed(letter: Record) -> Record:
    """The letter once its record is sent again."""
    return {**letter, "status": REPLAYED, "revision": 2 * letter["attempts"]}


def original_bytes(headers: Iterable[tuple[str, bytes]]) -> int | None:
    """How large the value was where the letter has only its beginning; None where it has it all."""
    return next((int(value) for name, value in headers if name == CUT_HEADER), None)


def origin_of(codec: Codec, topic: str, value: bytes | None, headers: Headers) -> Origin:
    """Of a record that was given up on, as far as it can be read."""
    sent = (context_of((found or b"").decode("latin-1")) for name, found in headers if name == TRACEPARENT)
    schema, record = _read(codec, topic, value)
    return Origin(record.get("tenant_id") or None, next(filter(None, sent), None) or _trace(schema, record))


def _trace(schema: str, record: Record) -> Context | None:
    """As follows from the ids of the record."""
    if log := record.get("trigger_log"):
        schema, record = "WorkflowTriggerLog", log
    ids = [record[name] for name in _NAMING.get(schema, ()) if record[name]]
    if not ids:
        return None
    # Nobody has checked the ids of a record that is given up on.
    return context_of(of_record(record["traceparent"], ids[0], ids[-1]).traceparent)


_NAMING = {
    "TriggerEvent": ("event_id",),
    "WorkflowTriggerLog": ("event_id", "id"),
    "WorkflowRun": ("id",),
    "WorkflowNodeExecution": ("workflow_run_id", "id"),
}
"""Of records that are spans: the ids that may name the trace, the record's own last. See docs/adr/0030."""


def _read(codec: Codec, topic: str, value: bytes | None) -> tuple[str, Record]:
    """The name of the schema and the record; nothing of what cannot be read."""
    known = TOPICS.get(topic)
    if known is None or known.schema is None or value is None:
        return "", {}
    try:
        return known.schema, codec.decode(known.schema, value)
    except UndecodableValue:
        return "", {}


def _return(value: bytes) -> Return | None:
    """None for a header that somebody else has written."""
    try:
        letter_id, attempts, stage, kind = value.decode().split(" ")
        return Return(str(uuid.UUID(letter_id)), max(int(attempts), 1), stage, kind == "row")
    except ValueError:
        return None


def _fitting(key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> dict[str, Any]:
    # The key twice: it is the key of the message as well.
    beside = 2 * len(key or b"") + sum(len(name) + len(content) for name, content in headers)
    cut = beside + len(value or b"") > _ROOM_BYTES
    if cut and beside > _KEY_AND_HEADERS_BYTES:
        key, headers, beside = key and key[: _KEY_AND_HEADERS_BYTES // 2], [], _KEY_AND_HEADERS_BYTES
    if cut:
        headers = [*headers, (CUT_HEADER, b"%d" % len(value or b""))]
        value = value and value[: _ROOM_BYTES - beside]
    return {"key": key, "value": value, "headers": [{"name": n, "value": content} for n, content in headers]}
