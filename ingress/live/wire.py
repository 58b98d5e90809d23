"""Events as a browser reads them: https://html.spec.whatwg.org/multipage/server-sent-events.html.

Their names and the envelope are those of Dify's streaming API; `data` in it has the fields of the records.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson

from ingress.live.changes import NODE_STARTED, RUNS, SCHEMAS, WORKFLOW_STARTED, Change, Event
from schemas.codec import load

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = ("inputs", "outputs", "process_data", "execution_metadata")
_TIMES = ("created_at", "finished_at", "event_at")
_HIDDEN = frozenset({"graph", "traceparent"})
"""What only those who write need, or who ask for the run."""
_RUN_BEGINS: dict[str, Any] = {
    "status": "RUNNING", "outputs": None, "error": None, "elapsed_time": 0.0, "total_tokens": 0,
    "total_steps": 0, "exceptions_count": 0, "finished_at": None,
}  # fmt: skip
_NODE_BEGINS: dict[str, Any] = {
    "status": "running", "process_data": None, "outputs": None, "error": None, "elapsed_time": 0.0,
    "finished_at": None,
}  # fmt: skip


def block(event: Event, event_id: str) -> bytes:
    """One event, with the id that a reader comes back with."""
    head = f"event: {event.name}\nid: {event_id}\ndata: ".encode()
    return b"".join((head, _body(event), b"\n\n"))


def heartbeat(event_id: str) -> bytes:
    """Without data, so that no event comes of it in a browser, which keeps the id all the same."""
    return f"event: ping\nid: {event_id}\n\n".encode() if event_id else b"event: ping\n\n"


def farewell(reason: str, detail: str, retry_ms: int) -> bytes:
    """Why the server ends the stream, and when to come back."""
    body = orjson.dumps({"event": "stream_ended", "reason": reason, "detail": detail}).decode()
    return f"event: stream_ended\nretry: {retry_ms}\ndata: {body}\n\n".encode()


def gap() -> bytes:
    """Something that the reader has not been told is no longer kept."""
    detail = "what came next after Last-Event-ID is no longer kept"
    return f"event: gap\ndata: {orjson.dumps({'event': 'gap', 'detail': detail}).decode()}\n\n".encode()


def begun(change: Change) -> Change:
    """The record as it was when its node, or run, began. What ends in the hop in which it begins is recorded
    once."""
    as_begun = _RUN_BEGINS if change.topic == RUNS else _NODE_BEGINS
    return Change(change.topic, change.partition, change.offset, {**change.record, **as_begun})


def _body(event: Event) -> bytes:
    """Made once for all readers."""
    change = event.change
    body = change.bodies.get(event.name)
    if body is None:
        shown = _shown(begun(change) if event.name in (WORKFLOW_STARTED, NODE_STARTED) else change)
        told = {"event": event.name, "workflow_run_id": change.run_id, "data": shown}
        # A line break between the tokens of somebody's JSON would end the field.
        body = orjson.dumps(told, option=orjson.OPT_UTC_Z).replace(b"\n", b" ").replace(b"\r", b" ")
        change.bodies[event.name] = body
    return body


@cache
def shown_fields(topic: str) -> tuple[str, ...]:
    """Of its records, in their order."""
    return tuple(f["name"] for f in load(SCHEMAS[topic])["fields"] if f["name"] not in _HIDDEN)


def _shown(change: Change) -> dict[str, Any]:
    shown = {name: change.record[name] for name in shown_fields(change.topic)}
    for name in _JSON:
        if name in shown:
            # As it is: a large one is not taken apart to be put together again.
            shown[name] = orjson.Fragment(shown[name]) if shown[name] else None
    for name in _TIMES:
        if shown[name] is not None:
            shown[name] = _EPOCH + timedelta(microseconds=shown[name])
    return shown
