"""The gate at which an event becomes the answer that a paused run waits for.

There is one for each thing that a wait can be found by (its pause, its run, its correlation key), and one for
all waits of the workflow. Runs say there when they begin to wait and when that is over.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import entity_id, gate_key
from schemas.pauses import PAUSE, BadAnswer, read_answer
from streams.gates.kinds import GateKind
from streams.gates.place import Place
from streams.gates.rows import Waiting
from streams.gates.ticket import Ticket, told
from transport.producer import Send

KIND = "answers"
MOST_WAITS = 1_000
"""Of one gate: older ones can be answered by their pause, their run or their key alone."""
MOST_EARLY = 1_000
"""Events that wait at one gate for a run to wait: their names are in its head, which is written with each."""

_LEFT_US = 3_600_000_000
"""What has little to remember stays for so long."""
_NODE_TYPE = "human-input"
_SURE = "form"
"""What a wait has beside itself when nothing keeps the event that was chosen for it from being its answer."""
_FORM = "form."
"""What begins the name of the row with the form of a wait; those of events are numbers."""


class Answers(GateKind):
    """An event answers the run that began to wait last, else it waits for one itself, else it goes on.

    What becomes of one that has waited is kept in one step and done in the next: a crash in between must not
    make it both an answer and a start.
    """

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """An event without a key goes on at once where nothing waits."""
        config = ticket.gate.config
        place.head.due_us = max(place.head.due_us or 0, place.left())
        if self._answer(ticket, place):
            return
        is_full = len(place.state.get("early", [])) >= MOST_EARLY
        if ticket.gate.key and config["look_back_s"] and not is_full:
            until = ticket.at_us + place.late_us(ticket) + round(config["look_back_s"] * 1e6)
            place.wait(name, ticket, until)
            place.state.setdefault("early", []).append(name)
            place.head.due_us = max(place.head.due_us or 0, until + _LEFT_US)
        else:
            self._go_on(ticket, place)

    def note(self, payload: Mapping[str, Any], at_us: int, place: Place) -> None:
        """A run begins to wait, or its wait is over."""
        pause_id = payload["pause_id"]
        waits = [one for one in place.state.get("waits", []) if one["pause_id"] != pause_id]
        if "form" not in payload:
            place.take(_FORM + pause_id)
        else:
            place.put(_FORM + pause_id, orjson.dumps(payload["form"]), None)
            known = ("pause_id", "run_id", "app_id", "expires_us")
            waits.append({name: payload[name] for name in known})
            for gone in waits[:-MOST_WAITS]:
                place.take(_FORM + gone["pause_id"])
            waits = waits[-MOST_WAITS:]
        place.state["waits"] = waits
        place.head.due_us = _forgotten_at(place, waits)
        if "form" in payload:
            self._choose_early(place)

    def due(self, place: Place) -> None:
        """Waits that nobody said were over: their time is."""
        waits = [one for one in place.state.get("waits", []) if one["expires_us"] + _LEFT_US > place.now_us]
        for gone in place.state.get("waits", []):
            if gone not in waits:
                place.take(_FORM + gone["pause_id"])
        place.state["waits"] = waits
        if waits or place.state.get("early") or place.state.get("chosen"):
            place.head.due_us = _forgotten_at(place, waits)
            place.keep()
        else:
            place.forget()

    def due_waiting(self, name: str, waiting: Waiting, place: Place) -> None:
        """It came before no wait; or what becomes of it has been kept."""
        if waiting.closed:
            place.take(name)
            self._carry_out(name, waiting, place)
        else:
            self._close(name, waiting.ticket, place)
        place.keep()

    def _carry_out(self, name: str, waiting: Waiting, place: Place) -> None:
        """Where its wait has ended meanwhile there is no form of it, and the event goes on. Which of both is
        kept in one more step: the answer that is sent ends the wait, so whoever sends it again may have been
        told that there is none."""
        chosen = place.state.get("chosen", {})
        wait = chosen.pop(name, None)
        if wait is None:
            self._go_on(place.ticket(waiting), place)
            return
        if _SURE in wait:
            self._carry_answer(place.ticket(waiting), wait, place)
            return
        form = place.get(_FORM + wait["pause_id"])
        if form is not None:
            chosen[name] = {**wait, _SURE: orjson.loads(form.ticket)}
        self._close(name, waiting.ticket, place)

    @staticmethod
    def _carry_answer(ticket: Ticket, wait: dict[str, Any], place: Place) -> None:
        form = wait.pop(_SURE)
        waits = [one for one in place.state.get("waits", []) if one["pause_id"] != wait["pause_id"]]
        if _tell(ticket, wait, form, place):
            place.take(_FORM + wait["pause_id"])
        elif place.get(_FORM + wait["pause_id"]) is not None:
            waits.append(wait)  # The last one is answered first.
        place.state["waits"] = waits
        place.head.due_us = _forgotten_at(place, waits)

    def _choose_early(self, place: Place) -> None:
        """The first that waits is for the run that has just begun to."""
        for name in list(place.state.get("early", [])):
            waiting = place.get(name)
            if waiting is not None:
                self._close(name, waiting.ticket, place)
                place.state.setdefault("chosen", {})[name] = place.state["waits"].pop()
                return

    @staticmethod
    def _close(name: str, ticket: bytes, place: Place) -> None:
        place.state["early"] = [one for one in place.state.get("early", []) if one != name]
        place.put(name, ticket, place.soon(), closed=True)

    def _answer(self, ticket: Ticket, place: Place) -> bool:
        """Whether the event was an answer, be it one that does not fit."""
        waits = place.state.get("waits", [])
        if not waits:
            return False
        wait = waits[-1]
        form = place.get(_FORM + wait["pause_id"])
        if form is None:
            return False
        if _tell(ticket, wait, orjson.loads(form.ticket), place):
            place.take(_FORM + wait["pause_id"])
            place.state["waits"] = waits[:-1]
        return True

    @staticmethod
    def _go_on(ticket: Ticket, place: Place) -> None:
        if ticket.gate.config["otherwise"] == "start":
            place.pass_(ticket)
        else:
            place.refuse(ticket, "no run waits for this answer")


def _tell(ticket: Ticket, wait: Mapping[str, Any], form: Mapping[str, Any], place: Place) -> bool:
    """Whether the event fits as the answer: the run is told, else the log why not."""
    given = ticket.gate.config["answer"]
    inputs = {name: given["inputs"][name] for name in form["inputs_schema"] if name in given["inputs"]}
    try:
        answer = read_answer(form, inputs, given["action"] or None)
    except BadAnswer as wrong:
        place.refuse(ticket, f"no answer to what run {wait['run_id']} waits for: {wrong}")
        return False
    event_id = ticket.event_id(place.codec)
    command = resume_command(ticket, wait, inputs, answer.action, place.now_us, event_id)
    log = ticket.answered(place.codec, wait["run_id"], wait["pause_id"], place.now_us)
    value = place.codec.encode("RunCommand", {**command, "trigger_log": log})
    place.send(Send("run.commands", wait["run_id"].encode(), value))
    place.send(_log(place.codec, log))
    return True


def waits(codec: Codec, execution: AvroRecord) -> Iterable[Send]:
    """What the gates are told of a node execution: that it waits, or that it waits no more.

    Nothing of what never waited, and nothing of a single step, which no event answers.
    """
    if execution["node_type"] != _NODE_TYPE or execution["triggered_from"] == "single-step":
        return ()
    return _waits(codec, execution)


def _waits(codec: Codec, execution: AvroRecord) -> Iterator[Send]:
    pause = orjson.loads(execution["execution_metadata"] or "{}").get(PAUSE)
    if pause is None:
        return
    metadata, run_id = pause["pause_metadata"], execution["workflow_run_id"]
    payload: dict[str, Any] = {"pause_id": execution["id"]}
    if execution["status"] == "paused":
        form = {name: metadata[name] for name in ("inputs_schema", "actions")}
        expires_us = pause["pause_expires_at"] * 1_000_000
        payload |= {"form": form, "run_id": run_id, "app_id": execution["app_id"], "expires_us": expires_us}
    header = {
        "tenant_id": execution["tenant_id"],
        "workflow_id": execution["workflow_id"],
        "issued_at": execution["finished_at"] or execution["created_at"],
    }
    for key in dict.fromkeys(("", execution["id"], run_id, metadata.get("correlation_key", ""))):
        yield told(codec, gate_key(execution["workflow_id"], KIND, key), "NOTE", header, payload)


def overruled(codec: Codec, command: AvroRecord, taken: Collection[str], now_us: int) -> Iterator[Send]:
    """What the log of an event says whose answer has changed nothing: another one came first, by the gate of
    another key or by the API, or the run has ended. Gates cannot know of each other; the run does.

    `command`: as in RunCommand.avsc, of any kind. `taken`: the answers that the run has.
    """
    log = command["trigger_log"]
    if command["kind"] != "RESUME" or log is None:
        return
    if taken and orjson.loads(command["payload"])["interaction_id"] in taken:
        return
    stopped = {
        "revision": log["revision"] + 1,
        "status": "STOPPED",
        "error": f"run {command['workflow_run_id']} no longer waits for this answer",
        "finished_at": now_us,
    }
    yield _log(codec, {**log, **stopped})


def _log(codec: Codec, log: AvroRecord) -> Send:
    return Send("trigger.logs", log["id"].encode(), codec.encode("WorkflowTriggerLog", log))


def resume_command(ticket: Ticket, wait: Mapping[str, Any], inputs: Mapping[str, Any], action: str | None,
                   now_us: int, event_id: str) -> AvroRecord:  # fmt: skip
    """The RunCommand that brings the answer. The event is its interaction: told twice, it counts once."""
    interaction_id = f"event/{event_id}"
    payload = {
        "interaction_id": interaction_id,
        "node_execution_id": wait["pause_id"],
        "inputs": inputs,
        "action": action,
        "by": f"event {event_id}",
    }
    return {
        "command_id": entity_id("command", wait["run_id"], interaction_id),
        "kind": "RESUME",
        "workflow_run_id": wait["run_id"],
        "tenant_id": ticket.tenant_id,
        "app_id": wait["app_id"] or "",
        "workflow_id": ticket.workflow_id,
        "version": "",
        "workflows_offset": 0,
        "issued_at": now_us,
        "payload": orjson.dumps(payload).decode(),
    }


def _forgotten_at(place: Place, waits: list[dict[str, Any]]) -> int:
    """Not while an event may be early, nor while a run may wait."""
    latest: int = max((one["expires_us"] for one in waits), default=place.now_us)
    return max(latest, place.now_us) + _LEFT_US
