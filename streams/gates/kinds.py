"""The gates that let events pass one by one. See `schemas.models.flow_control` for what they are for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from streams.gates.order import Fired, close, conforms, is_replaced, opens, remember
from streams.gates.place import Place
from streams.gates.rows import Waiting
from streams.gates.ticket import Ticket
from transport.recent import Recent

Config = Mapping[str, Any]

_DRAINED = 2_000
"""Held events that go on before others have their turn."""
MOST_PENDING = 2_000
"""Events that wait for a decision at one gate: their names are in its head, which is written with each."""
_MOST_NEEDS = 20_000
"""Of events that wait for triggers, in memory: 10 MB."""
_MOST_CONFIGS = 1_000
_REMEMBERED_US = 86_400_000_000
"""A router that reads late may hold an event for so long after its workflow has been resumed."""
_REPLACED = "debounced: a later event took its place"


class GateKind:
    """One kind of gate. It lets pass, refuses or keeps; what it has no use for does nothing."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """An event has come. `name`: of its row, should it have to wait."""
        raise NotImplementedError

    def note(self, payload: Config, at_us: int, place: Place) -> None:
        """A trigger that this one depends on has let an event through."""

    def resume(self, at_us: int, place: Place) -> None:
        """The workflow is no longer paused, since that time."""

    def due(self, place: Place) -> None:
        """The time of the head has come. By default nothing is left to remember."""
        place.forget()

    def due_waiting(self, name: str, waiting: Waiting, place: Place) -> None:
        """The time of one that waits has come. By default it passes."""
        place.release(name, waiting)


class _Needs(NamedTuple):
    """What an event waits for."""

    at_us: int
    config: Config


class Depends(GateKind):
    """Until the triggers that this one depends on have let an event through as well."""

    def __init__(self) -> None:
        # An event is the same for as long as it waits. To read 2,000 for each event of another trigger takes
        # the loop 50 ms.
        self._needs: Recent[tuple[str, str], _Needs] = Recent(_MOST_NEEDS)
        self._configs: Recent[bytes, Config] = Recent(_MOST_CONFIGS)

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """Passes at once where they have."""
        config = ticket.gate.config
        if _met(_Needs(ticket.at_us, config), Fired(place.state)):
            place.pass_(ticket)
            return
        pending = place.state.setdefault("pending", [])
        if len(pending) >= MOST_PENDING:
            place.refuse(ticket, f"{MOST_PENDING} events wait for the triggers it depends on already")
            return
        until = ticket.at_us + place.late_us(ticket) + round(config["window_s"] * 1e6)
        place.wait(name, ticket, until)
        pending.append(name)
        place.head.due_us = max(place.left(until), place.head.due_us or 0)

    def note(self, payload: Config, at_us: int, place: Place) -> None:
        """Those pass that have waited for it."""
        remember(place.state, payload["trigger_id"], at_us)
        window_us = round(payload["window_s"] * 1e6)
        place.head.due_us = place.left(max(place.now_us, *place.state["fired"].values()) + window_us)
        pending, fired = [], Fired(place.state)
        for name in place.state.pop("pending", []):
            needs = self._needs.get((place.gate_key, name)) or self._read(name, place)
            if needs is None:
                continue
            if not _met(needs, fired):
                pending.append(name)
            elif waiting := place.get(name):
                place.release(name, waiting)
        if pending:
            place.state["pending"] = pending

    def due(self, place: Place) -> None:
        """All that has come is too long ago, but for those that are about to be refused."""
        # A crash may have left the name of one that has gone.
        place.state["pending"] = [one for one in place.state.get("pending", []) if place.get(one)]
        if place.state["pending"]:
            place.head.due_us = place.left()
            place.keep()
        else:
            place.forget()

    def due_waiting(self, name: str, waiting: Waiting, place: Place) -> None:
        """They have not come. First it is closed, then it is refused: whoever comes late must not let pass
        what may have been refused already."""
        if waiting.closed:
            place.take(name)
            self._refuse(place.ticket(waiting), place)
            return
        place.put(name, waiting.ticket, place.soon(), closed=True)
        place.state["pending"] = [one for one in place.state.get("pending", []) if one != name]
        place.keep()

    def _read(self, name: str, place: Place) -> _Needs | None:
        """None for one that does not wait."""
        waiting = place.get(name)
        if waiting is None:
            return None
        ticket = place.ticket(waiting)
        text = orjson.dumps(ticket.gate.config)
        config = self._configs.get(text) or self._configs.keep(text, ticket.gate.config)
        return self._needs.keep((place.gate_key, name), _Needs(ticket.at_us, config))

    @staticmethod
    def _refuse(ticket: Ticket, place: Place) -> None:
        config = ticket.gate.config
        which = "all" if config["mode"] == "all" else "any"
        place.refuse(
            ticket, f"not {which} of the triggers it depends on came within {config['window_s']:g} s"
        )


class Hold(GateKind):
    """Until the workflow is resumed."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """Whoever sent it here may not know yet that it has been."""
        if place.state.get("resumed", 0) >= ticket.gate.config["since"]:
            place.pass_(ticket)
        else:
            place.wait(name, ticket, None)

    def resume(self, at_us: int, place: Place) -> None:
        """In portions, so that others have their turn."""
        place.state["resumed"] = max(at_us, place.state.get("resumed", 0))
        # It may have been paused again since it was resumed last.
        place.state["drained"] = False
        place.head.due_us = place.soon()
        place.keep()

    def due(self, place: Place) -> None:
        """The next portion, in the order in which they came. Those of a later pause stay."""
        if place.state.get("drained"):
            place.forget()
            return
        names, released = place.waiting(_DRAINED), 0
        for name in names:
            waiting = place.get(name)
            if waiting is not None and self._may_pass(waiting, place):
                place.release(name, waiting)
                released += 1
        place.state["drained"] = len(names) < _DRAINED or not released
        place.head.due_us = place.now_us + _REMEMBERED_US if place.state["drained"] else place.soon()
        place.keep()

    @staticmethod
    def _may_pass(waiting: Waiting, place: Place) -> bool:
        since, resumed = place.ticket(waiting).gate.config["since"], place.state.get("resumed", 0)
        return bool(resumed >= since)


class RateLimit(GateKind):
    """Refuses what is over the limit, by the times at which events were accepted."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """So many may come early as the limit says."""
        config = ticket.gate.config
        period_us = config["period_s"] * 1e6
        step_us = period_us / config["limit"]
        if not conforms(place.state, ticket.at_us, step_us, period_us - step_us + 0.5):  # 0.5: many steps.
            place.refuse(ticket, _over(ticket, f"at most {config['limit']} in {config['period_s']:g} s"))
            return
        place.head.due_us = place.left(place.state["expected"] + period_us)
        place.pass_(ticket)


class Throttle(GateKind):
    """Lets wait what is over the limit.

    It keeps one number: when the next event would come if all came at the rate.
    """

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """Its turn is known at once: those before it have theirs, and so have younger ones that were."""
        config = ticket.gate.config
        step_us = config["period_s"] * 1e6 / config["limit"]
        at_us = place.state["newest"] = max(place.state.get("newest", 0), ticket.at_us)
        expected = max(place.state.get("expected", 0), at_us)
        begins = max(at_us, round(expected - step_us * (config["burst"] - 1)))
        if begins - at_us > config["max_wait_s"] * 1e6:
            place.refuse(ticket, _over(ticket, f"it would wait for more than {config['max_wait_s']:g} s"))
            return
        place.state["expected"] = expected + step_us
        place.head.due_us = place.left(expected + step_us)
        if begins <= place.now_us:
            place.pass_(ticket)
        else:
            place.wait(name, ticket, begins)


class Debounce(GateKind):
    """Of events that come close after each other, the first or the last."""

    def enter(self, ticket: Ticket, name: str, place: Place) -> None:
        """Close is by when the events were accepted, not by when they are looked at."""
        if ticket.gate.config["mode"] == "leading":
            self._leading(ticket, place)
        else:
            self._trailing(ticket, name, place)

    def due(self, place: Place) -> None:
        """One that waits has a time of its own."""
        if not place.state.get("pending"):
            place.forget()

    def due_waiting(self, name: str, waiting: Waiting, place: Place) -> None:
        """First it is closed, then it passes: a later event cannot take back what may have been sent."""
        if waiting.closed:
            place.release(name, waiting)
        else:
            self._close(name, waiting, place)
            place.keep()

    @staticmethod
    def _leading(ticket: Ticket, place: Place) -> None:
        config, longest = ticket.gate.config, ticket.gate.config["max_wait_s"]
        longest_us = None if longest is None else longest * 1e6
        if opens(place.state, ticket.at_us, config["period_s"] * 1e6, longest_us):
            place.pass_(ticket)
        else:
            place.refuse(ticket, f"debounced: it came within {config['period_s']:g} s of another one")
        place.head.due_us = place.left(place.state["until"])

    def _trailing(self, ticket: Ticket, name: str, place: Place) -> None:
        config, state, at_us = ticket.gate.config, place.state, ticket.at_us
        pending: str = state.get("pending", "")
        waiting = place.get(pending) if pending else None
        period_us = config["period_s"] * 1e6
        other = None if waiting is None or waiting.closed else place.ticket(waiting)
        if other is not None and at_us < other.at_us:
            self._behind_a_later(ticket, place)
            return
        if is_replaced(state, at_us, period_us, starts=False):
            place.refuse(ticket, _REPLACED)
            return
        if waiting is None or other is None:
            state.pop("first", None)
        elif at_us >= _rest_us(pending, waiting, place):
            self._close(pending, waiting, place)
        else:
            place.take(pending)
            place.refuse(other, _REPLACED)
        rest = at_us + period_us
        if config["max_wait_s"] is not None:
            rest = min(rest, state.setdefault("first", at_us) + config["max_wait_s"] * 1e6)
        state.update(pending=name, first=state.get("first", at_us), rest=round(rest), rest_of=name)
        place.head.due_us = None
        place.wait(name, ticket, state["rest"] + place.late_us(ticket))

    @staticmethod
    def _behind_a_later(ticket: Ticket, place: Place) -> None:
        """One that waits was looked at first: whether this one came close to it, or to one before it."""
        state, period_us = place.state, ticket.gate.config["period_s"] * 1e6
        is_near = ticket.at_us > state.get("first", 0) - period_us
        if is_near:
            state["first"] = min(state.get("first", ticket.at_us), ticket.at_us)
        if is_near or is_replaced(state, ticket.at_us, period_us, starts=True):
            place.refuse(ticket, _REPLACED)
        else:
            place.pass_(ticket)

    @staticmethod
    def _close(name: str, waiting: Waiting, place: Place) -> None:
        place.put(name, waiting.ticket, place.soon(), closed=True)
        ticket = place.ticket(waiting)
        period_us, rest_us = ticket.gate.config["period_s"] * 1e6, _rest_us(name, waiting, place)
        close(place.state, ticket.at_us, period_us, rest_us)
        place.head.due_us = place.left()


def _rest_us(name: str, waiting: Waiting, place: Place) -> int:
    """When nothing comes close any more to one that waits. The release before lets it wait until then."""
    state = place.state
    return state["rest"] if state.get("rest_of") == name else waiting.due_us or 0


def _met(needs: _Needs, fired: Fired) -> bool:
    config = needs.config
    window_us = config["window_s"] * 1e6
    near = (fired.near(one, needs.at_us, window_us) for one in config["triggers"])
    return all(near) if config["mode"] == "all" else any(near)


def _over(ticket: Ticket, why: str) -> str:
    of = f" of {ticket.gate.key!r}" if ticket.gate.key else ""
    return f"over the {ticket.gate.kind.replace('_', ' ')}{of}: {why}"
