"""The gate that starts a run again when it has failed.

The start passes at once, and a copy of it waits until the engine says how the run has ended. Every run has a
gate of its own, found by the first run of its event.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import gate_key, retried_run_id
from schemas.triggers.config import Retry
from schemas.triggers.schedule import ScheduleConfig
from streams.gates.kinds import GateKind
from streams.gates.place import Place
from streams.gates.rows import Waiting
from streams.gates.ticket import Ticket, told
from streams.schedules import run_ended
from transport.producer import Send

KIND = "retry"
FIRST_RUN = "retry_of"
"""In `trigger_metadata` of a log whose run is a retry: the first run of the event."""

_KEPT_US = 100 * 86_400_000_000
"""Longer than a run may be paused."""


class Retries(GateKind):
    """Lets everything pass, some of it again."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """It starts; should the run fail, it starts again."""
        place.wait(name, ticket, None)
        place.state.update(name=name, attempt=0)
        place.head.due_us = place.now_us + _KEPT_US
        place.pass_(ticket)

    def note(self, payload: Mapping[str, Any], at_us: int, place: Place) -> None:
        """The run has ended."""
        name: str = place.state.get("name", "")
        waiting = place.get(name) if name else None
        if waiting is None:
            # It has no gate, or none any more.
            _tell_schedule(payload, at_us, place, again=False)
            return
        if payload["attempt"] != place.state["attempt"]:
            return
        ticket = place.ticket(waiting)
        attempt = place.state["attempt"] + 1
        if payload["status"] != "FAILED" or attempt > ticket.gate.config["max_retries"]:
            place.take(name)
            place.state.clear()
            place.head.due_us = place.left()
            _tell_schedule(payload, at_us, place, again=False)
            return
        _tell_schedule(payload, at_us, place, again=True)
        again = _again(ticket, payload, attempt, place)
        place.state["attempt"] = attempt
        place.wait(name, again, place.now_us + _delay_us(ticket.gate.config, ticket.key, attempt))
        place.head.due_us = place.now_us + _KEPT_US
        place.send(Send("trigger.logs", again.log_id(place.codec).encode(), again.log))

    def due(self, place: Place) -> None:
        """Nobody has said how the run ended, or it has ended well."""
        if name := place.state.get("name"):
            place.take(name)
        place.forget()

    def due_waiting(self, name: str, waiting: Waiting, place: Place) -> None:
        """The delay is over."""
        ticket = place.ticket(waiting)
        place.wait(name, ticket, None)
        place.pass_(ticket)


def ended_run(codec: Codec, log: AvroRecord, retry: Retry | None) -> list[Send]:
    """What the gate of a run is told when its trigger log has come to its end."""
    if retry is None or log["finished_at"] is None or not log["workflow_run_id"]:
        return []
    header = {
        "tenant_id": log["tenant_id"],
        "workflow_id": log["workflow_id"],
        "issued_at": log["finished_at"],
    }
    payload = {
        "status": log["status"],
        "attempt": log["retry_count"],
        "error": log["error"],
        "revision": log["revision"],
    }
    again = run_again(log, retry)
    if again is not None and log["trigger_type"] == ScheduleConfig.type:
        payload["schedule"] = [log["tenant_id"], log["app_trigger_id"], log["workflow_run_id"], again]
    return [told(codec, gate_key(log["workflow_id"], KIND, _first_run(log)), "NOTE", header, payload)]


def run_again(log: AvroRecord, retry: Retry | None) -> str | None:
    """The run that starts again what the run of the log was started for, as far as can be told without its
    gate: that keeps to what `retry` was when the event came."""
    if retry is None or log["status"] != "FAILED":
        return None
    attempt: int = log["retry_count"] + 1
    if attempt > retry.max_retries:
        return None
    return retried_run_id(_first_run(log), attempt)


def _first_run(log: AvroRecord) -> str:
    first: str = orjson.loads(log["trigger_metadata"] or "{}").get(FIRST_RUN, log["workflow_run_id"])
    return first


def _tell_schedule(payload: Mapping[str, Any], at_us: int, place: Place, *, again: bool) -> None:
    """A schedule has been told that the run starts again. Without its gate it does not; with it, that is told
    before it does: the engine may die, and tell it once the other run has ended."""
    if "schedule" not in payload:
        return
    tenant_id, schedule, run_id, next_id = payload["schedule"]
    place.send(run_ended(place.codec, tenant_id, schedule, run_id, at_us, next_id if again else None))
    if not again:
        place.send(run_ended(place.codec, tenant_id, schedule, next_id, at_us))


def _again(ticket: Ticket, payload: Mapping[str, Any], attempt: int, place: Place) -> Ticket:
    """The start of another run, its log PENDING once more."""
    first, codec = ticket.gate.key, place.codec
    run_id = retried_run_id(first, attempt)
    log = codec.decode("WorkflowTriggerLog", ticket.log)
    metadata = {**orjson.loads(log["trigger_metadata"] or "{}"), FIRST_RUN: first}
    log = {
        **log,
        "revision": payload["revision"] + 1,
        "status": "PENDING",
        "error": payload["error"],
        "retry_count": attempt,
        "workflow_run_id": run_id,
        "trigger_metadata": orjson.dumps(metadata).decode(),
    }
    command = codec.decode("RunCommand", ticket.start)
    command = {
        **command,
        "command_id": f"start/{run_id}",
        "workflow_run_id": run_id,
        "payload": place.payload_for(command, run_id),
        "trigger_log": log,
    }
    encoded = codec.encode("WorkflowTriggerLog", log)
    return replace(ticket, key=run_id, start=codec.encode("RunCommand", command), log=encoded)


def _delay_us(config: Mapping[str, Any], run_id: str, attempt: int) -> int:
    """Twice as long each time, spread by what the run's id says: the same if it is asked again."""
    drawn = int.from_bytes(hashlib.sha256(f"{run_id}/{attempt}".encode()).digest()[:8], "big") / 2**64
    delay_s: float = min(config["delay_s"] * 2 ** (attempt - 1), config["max_delay_s"])
    spread: float = config["jitter"] * drawn
    return round(delay_s * (1 + spread) * 1e6)
