"""A gate while something is decided about it: its rows, and what becomes of events."""

from dataclasses import replace
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from streams.fetching import Fetcher
from streams.gates.rows import Head, Waiting
from streams.gates.ticket import Ticket
from streams.offload import Owner, packed
from streams.shell.rows import BREAK
from streams.shell.stage import Decision, Kept
from transport.producer import Send

_OUTAGE_US = 60_000_000
"""A head that is served so late was nobody's for a while."""

_LEFT_US = 60_000_000
"""A head that has nothing else to remember stays for so long: it knows which commands a crash may repeat."""

_SOON_US = 1_000
"""Until a row is served that is due at once: it must not be due in the turn that has served it."""


class Place:
    """What a kind of gate works with. It changes a decision, and nothing else."""

    def __init__(
        self, gate_key: str, kept: Kept, now_us: int, codec: Codec, fetcher: Fetcher, decision: Decision
    ) -> None:
        self.now_us = now_us
        self.gate_key = gate_key
        self._kept = kept
        self._codec = codec
        self._fetcher = fetcher
        self._decision = decision
        row = kept.get(gate_key)
        self.head = Head() if row is None else Head.decode(row)

    @property
    def state(self) -> dict[str, Any]:
        """Of the kind of gate; changed in place."""
        return self.head.state

    def keep(self) -> None:
        """Writes the head."""
        self._decision.writes[self.gate_key] = self.head.encode()

    def forget(self) -> None:
        """Nothing is left of the gate but those that wait. Not right after an outage: what a router repeats
        that died before it comes only now."""
        due_us = self.head.due_us
        if due_us is not None and self.now_us - due_us > _OUTAGE_US:
            self.head.due_us = self.now_us + _OUTAGE_US
            self.keep()
        else:
            self._decision.writes[self.gate_key] = None

    def soon(self) -> int:
        """The time for what is to be done next."""
        return self.now_us + _SOON_US

    def late_us(self, ticket: Ticket) -> int:
        """How long ago it came. So much longer it waits for others: they are looked at late as well."""
        return max(0, self.now_us - ticket.at_us)

    def left(self, at_us: float = 0) -> int:
        """When the gate may be forgotten that has something to remember until then."""
        return round(max(at_us, self.now_us)) + _LEFT_US

    def pass_(self, ticket: Ticket) -> None:
        """To what is behind this gate."""
        self._decision.sends.append(ticket.passed(self._codec, self.now_us))

    def refuse(self, ticket: Ticket, reason: str, run_id: str | None = None) -> None:
        """It starts nothing."""
        self._decision.sends.extend(ticket.refused(self._codec, reason, self.now_us, run_id))

    def send(self, send: Send) -> None:
        """Something else that follows."""
        self._decision.sends.append(send)

    @property
    def codec(self) -> Codec:
        """To make messages with."""
        return self._codec

    def wait(self, name: str, ticket: Ticket, due_us: int | None) -> None:
        """Keeps it."""
        self.put(name, ticket.encode(self._codec), due_us)

    def put(self, name: str, ticket: bytes, due_us: int | None, *, closed: bool = False) -> None:
        """Writes the row of one that waits."""
        self._decision.writes[self._row(name)] = Waiting(due_us, closed, ticket).encode()

    def get(self, name: str) -> Waiting | None:
        """None for one that does not wait."""
        key, writes = self._row(name), self._decision.writes
        row = writes[key] if key in writes else self._kept.get(key)
        return None if row is None else Waiting.decode(row)

    def take(self, name: str) -> None:
        """It waits no more."""
        self._decision.writes[self._row(name)] = None

    def release(self, name: str, waiting: Waiting) -> None:
        """It passes."""
        self.take(name)
        self.pass_(self.ticket(waiting))

    def ticket(self, waiting: Waiting) -> Ticket:
        """What waits there."""
        return Ticket.decode(self._codec.decode("GateCommand", waiting.ticket))

    def waiting(self, most: int) -> list[str]:
        """The names of the first of those that wait, in the order in which they came."""
        prefix = self.gate_key + BREAK
        return [key[len(prefix) :] for key in self._kept.under(prefix, most)]

    def started(self, ticket: Ticket) -> dict[str, Any]:
        """The payload of its start. Raises `NotYet` while it is under way from the object storage."""
        command = self._codec.decode("RunCommand", ticket.start)
        owner = Owner(command["tenant_id"], command["workflow_run_id"])
        payload: dict[str, Any] = orjson.loads(self._fetcher.document(owner, command["payload"]))
        return payload

    def restarted(self, ticket: Ticket, payload: dict[str, Any]) -> Ticket:
        """With another payload."""
        command = self._codec.decode("RunCommand", ticket.start)
        owner = Owner(command["tenant_id"], command["workflow_run_id"])
        document = packed(orjson.dumps(payload).decode(), owner, self._decision.uploads)
        return replace(ticket, start=self._codec.encode("RunCommand", {**command, "payload": document}))

    def payload_for(self, command: AvroRecord, run_id: str) -> str:
        """The payload of a start for another run. Raises `NotYet` likewise."""
        tenant_id, first = command["tenant_id"], command["workflow_run_id"]
        document = self._fetcher.document(Owner(tenant_id, first), command["payload"])
        return packed(document, Owner(tenant_id, run_id), self._decision.uploads)

    def _row(self, name: str) -> str:
        return self.gate_key + BREAK + name
