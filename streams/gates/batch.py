"""The gate that gathers events to one run."""

from typing import Any

import orjson

from streams.gates.kinds import GateKind
from streams.gates.place import Place
from streams.gates.ticket import Ticket

EVENTS = "events"
"""The input that has the inputs of all events of a batch, the first one first."""


class Batch(GateKind):
    """A batch is closed before it is sent: what comes meanwhile belongs to the next one."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """The last one that fits in closes the batch."""
        config, state = ticket.gate.config, place.state
        opened = state.setdefault("open", [])
        if not opened:
            state["until"] = place.now_us + round(config["timeout_s"] * 1e6)
        opened.append(name)
        place.wait(name, ticket, None)
        if len(opened) >= config["max_size"]:
            self._close(place)
        elif not state.get("closed"):
            place.head.due_us = state["until"]

    def due(self, place: Place) -> None:
        """Sends one that is closed, else closes the open one."""
        closed = place.state.get("closed", [])
        if closed:
            self._send(closed.pop(0), place)
            place.head.due_us = place.soon() if closed else place.state.get("until", place.left())
        elif place.state.get("open"):
            self._close(place)
        else:
            place.forget()
            return
        place.keep()

    @staticmethod
    def _close(place: Place) -> None:
        place.state.setdefault("closed", []).append(place.state.pop("open"))
        place.state.pop("until", None)
        place.head.due_us = place.soon()

    def _send(self, names: list[str], place: Place) -> None:
        rows = [(name, waiting) for name in names if (waiting := place.get(name)) is not None]
        tickets = [place.ticket(waiting) for _, waiting in rows]
        if not tickets:
            return
        first, *others = tickets
        started = place.started(first)
        place.pass_(place.restarted(first, _gathered(started, [started, *map(place.started, others)])))
        for one in others:
            reason = f"in a batch with {len(others)} more: they start run {first.key}"
            place.refuse(one, reason, run_id=first.key)
        for name, _ in rows:
            place.take(name)


def _gathered(payload: dict[str, Any], payloads: list[dict[str, Any]]) -> dict[str, Any]:
    """The payload of the start, its inputs with all of them."""
    events = [one["inputs"] for one in payloads]
    copied: dict[str, Any] = orjson.loads(orjson.dumps(payload))
    return {**copied, "inputs": {**copied["inputs"], EVENTS: events}}
