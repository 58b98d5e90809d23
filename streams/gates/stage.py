"""The stage of the gates: what lets events through, and when. See docs/adr/0016."""

from collections.abc import Mapping

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from streams.fetching import Fetcher
from streams.gates.answers import Answers
from streams.gates.batch import Batch
from streams.gates.kinds import Debounce, Depends, GateKind, Hold, RateLimit, Throttle
from streams.gates.place import Place
from streams.gates.retries import Retries
from streams.gates.rows import FORMAT, Waiting, name_of, row_due, split
from streams.gates.ticket import Ticket, kind_of
from streams.shell.stage import Decision, Kept, Record, Stage

_KINDS: Mapping[str, type[GateKind]] = {
    "answers": Answers,
    "depends": Depends,
    "hold": Hold,
    "rate_limit": RateLimit,
    "debounce": Debounce,
    "batch": Batch,
    "throttle": Throttle,
    "retry": Retries,
}
"""In the order in which an event meets them."""


class Gates:
    """Reads `gate.commands`; keeps `gates`; writes there again, `run.commands` and `trigger.logs`."""

    def __init__(self, codec: Codec, fetcher: Fetcher) -> None:
        self._codec = codec
        self._fetcher = fetcher
        self._kinds = {name: kind() for name, kind in _KINDS.items()}

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "gates",
            "gate.commands",
            self.decide,
            table="gates",
            format=FORMAT,
            due=row_due,
            on_due=self.on_due,
            owner=self._owner,
        )

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. One that has been decided before is through: its outputs went out before its row."""
        command = self._codec.decode("GateCommand", record.value)
        gate_key, decision = command["gate_key"], Decision()
        place = self._place(gate_key, kept, now, decision)
        if record.offset <= place.head.seen:
            return decision
        place.head.seen = record.offset
        if command["kind"] != "RESUME":
            # An event is of no later than when it came here, whatever the clock of its ingress said: it would
            # hold up others. The time of the record is the same for whoever decides it again.
            command["issued_at"] = min(command["issued_at"], record.timestamp_ms * 1000 + 999)
        with self._fetcher.deciding():
            self._carry_out(command, record.offset, place)
        place.keep()
        return decision

    def _carry_out(self, command: AvroRecord, offset: int, place: Place) -> None:
        kind = self._kinds[kind_of(place.gate_key)]
        match command["kind"]:
            case "ENTER":
                ticket = Ticket.decode(command)
                if place.head.enter(ticket.log_id(self._codec), ticket.log):
                    kind.enter(ticket, name_of(offset), place)
            case "NOTE":
                kind.note(orjson.loads(command["payload"]), command["issued_at"], place)
            case "RESUME":
                kind.resume(command["issued_at"], place)
            case unknown:
                raise ValueError(f"unknown kind of gate command {unknown}")

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """A gate, or an event that waits before it, wants attention."""
        gate_key, name = split(key)
        decision = Decision()
        place = self._place(gate_key, kept, now, decision)
        kind = self._kinds[kind_of(gate_key)]
        with self._fetcher.deciding():
            if name:
                kind.due_waiting(name, Waiting.decode(row), place)
            else:
                kind.due(place)
        return decision

    def _owner(self, key: str, row: bytes) -> str | None:
        """Of an event that waits: a gate itself does not say."""
        if not split(key)[1]:
            return None
        tenant_id: str = self._codec.decode("GateCommand", Waiting.decode(row).ticket)["tenant_id"]
        return tenant_id

    def _place(self, gate_key: str, kept: Kept, now: float, decision: Decision) -> Place:
        return Place(gate_key, kept, int(now * 1e6), self._codec, self._fetcher, decision)
