"""The gates under a clock of their own: commands in, starts and refusals out, with crashes if one likes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from schemas.codec import SingleObjectCodec
from streams.fetching import Fetcher
from streams.gates.answers import waits
from streams.gates.stage import Gates
from streams.gates.ticket import Gate, Ticket, told
from streams.shell.stage import Decision, Record
from tests.streams.kept import KeptRows
from transport.producer import Send

CODEC = SingleObjectCodec()
FLOW, TENANT = "flow", "tenant"
START_US = 1_000_000_000_000


class NoFetcher:
    """Nothing is in the object storage."""

    def document(self, owner: object, document: str) -> str:
        return document

    def deciding(self) -> AbstractContextManager[None]:
        return nullcontext()


@dataclass
class Driver:
    """One partition. `repeats`: each command is decided again later, as after a crash."""

    repeats: bool = False
    now_us: int = START_US
    rows: KeptRows = field(default_factory=KeptRows)
    started: list[tuple[float, str, Any]] = field(default_factory=list)
    """Second, event, inputs."""
    refused: dict[str, str] = field(default_factory=dict)
    answered: list[tuple[str, Any]] = field(default_factory=list)
    """Run, and what it was told."""
    pending: list[dict[str, Any]] = field(default_factory=list)
    """Logs of events that are to start again."""
    answers: dict[str, str] = field(default_factory=dict)
    """Event -> the run that it was the answer for."""
    released: list[str] = field(default_factory=list)
    """Schedules that were told that a run will not begin."""
    ended: list[dict[str, str]] = field(default_factory=list)
    """What they were told."""
    _records: list[Record] = field(default_factory=list)
    _repeated: list[Record] = field(default_factory=list)
    _is_dying: bool = False

    def __post_init__(self) -> None:
        self.stage = Gates(CODEC, cast(Fetcher, NoFetcher())).stage()

    def event(
        self, name: str, *gates: Gate, trigger_type: str = "WEBHOOK", accepted_s: float | None = None
    ) -> None:
        """One that has been accepted now, or then."""
        self._send(ticket(name, gates, self._at_us(accepted_s), trigger_type).send(CODEC))
        self._settle()

    def note(self, gate: Gate, trigger: str, window_s: float, accepted_s: float | None = None) -> None:
        """Another trigger has let an event through."""
        self._tell(gate, "NOTE", {"trigger_id": trigger, "window_s": window_s}, accepted_s)

    def execution(self, record: dict[str, Any]) -> None:
        """An engine has written a node execution."""
        for send in waits(CODEC, record):
            self._send(send)
        self._settle()

    def deliver(self, *sends: Send, settles: bool = True) -> None:
        """Commands of somebody else, all at once. `settles`: what is due then is served."""
        for send in sends:
            self._send(send)
        if settles:
            self._settle()

    def serve(self, *, dies: bool = False) -> bool:
        """One turn of what is due; whether that was anything. `dies`: it is sent, no row of it is kept."""
        due = [key for key, row in self.rows.items() if self._due_us(key, row) <= self.now_us]
        before = KeptRows(self.rows)
        for key in sorted(due):
            if key in self.rows:
                assert self.stage.on_due is not None
                self._carry_out(self.stage.on_due(key, self.rows[key], self.rows, self.now_us / 1e6))
        if dies:
            self.rows = before
        # What is due at once is due a moment later.
        self.now_us += 1_000 if due else 0
        return bool(due)

    def resume(self, gate: Gate) -> None:
        """The workflow goes on."""
        self._tell(gate, "RESUME", {})

    @contextmanager
    def dying(self) -> Iterator[None]:
        """What is decided meanwhile is one turn: it is sent, but no row of it is kept."""
        before, first = KeptRows(self.rows), len(self._records)
        self._is_dying = True
        yield
        self.rows, self._repeated, self._is_dying = before, self._records[first:], False

    def live_again(self) -> None:
        """What was decided last comes again, and in the same turn what is due is decided."""
        for one in self._repeated:
            self._carry_out(self.stage.decide(one, self.rows, self.now_us / 1e6))
        self._settle()

    def repeat_last(self) -> None:
        """The last command comes again: a worker had died before its offset was committed."""
        self._carry_out(self.stage.decide(self._records[-1], self.rows, self.now_us / 1e6))
        self._settle()

    def advance(self, to_s: float) -> None:
        """Lets the time pass, each row served when it is due."""
        until = START_US + round(to_s * 1e6)
        while (due := self._next_due()) is not None and due <= until:
            self.now_us = max(self.now_us, due)
            self._settle()
        self.now_us = max(self.now_us, until)

    @property
    def at_s(self) -> float:
        return (self.now_us - START_US) / 1e6

    def _at_us(self, at_s: float | None) -> int:
        return self.now_us if at_s is None else START_US + round(at_s * 1e6)

    def _tell(self, gate: Gate, kind: str, payload: dict[str, Any], accepted_s: float | None = None) -> None:
        header = {"tenant_id": TENANT, "workflow_id": FLOW, "issued_at": self._at_us(accepted_s)}
        self._send(told(CODEC, gate.gate_key, kind, header, payload))
        self._settle()

    def _settle(self) -> None:
        if self._is_dying:
            return
        for _ in range(10_000):
            if not self.serve():
                return
        raise AssertionError("a row is always due")

    def _next_due(self) -> int | None:
        times = [self._due_us(key, row) for key, row in self.rows.items()]
        return min((t for t in times if t < 1 << 62), default=None)

    def _due_us(self, key: str, row: bytes) -> int:
        assert self.stage.due is not None
        due = self.stage.due(key, row)
        return 1 << 62 if due is None else round(due * 1e6)

    def _send(self, send: Send) -> None:
        if send.topic != "gate.commands":
            self._arrived(send)
            return
        record = Record(
            send.topic, 0, len(self._records), send.key, send.value, (), round(self.now_us / 1000)
        )
        self._records.append(record)
        self._carry_out(self.stage.decide(record, self.rows, self.now_us / 1e6))
        if self.repeats:
            for one in self._records[-3:]:
                self._carry_out(self.stage.decide(one, self.rows, self.now_us / 1e6))

    def _carry_out(self, decision: Decision) -> None:
        for key, value in decision.writes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        for send in decision.sends:
            self._send(send)

    def _arrived(self, send: Send) -> None:
        if send.topic == "run.commands":
            command = CODEC.decode("RunCommand", send.value)
            if command["kind"] == "RESUME":
                self.answered.append((command["workflow_run_id"], orjson.loads(command["payload"])))
                return
            inputs = orjson.loads(command["payload"])["inputs"]
            self.started.append((self.at_s, command["workflow_run_id"].removeprefix("run-"), inputs))
        elif send.topic == "trigger.logs":
            log = CODEC.decode("WorkflowTriggerLog", send.value)
            name = log["id"].removeprefix("log-")
            if log["status"] == "PENDING":
                self.pending.append(log)
                return
            assert log["revision"] == 2
            if log["status"] == "SUCCESS":
                self.answers[name] = log["workflow_run_id"]
            else:
                assert log["status"] == "STOPPED"
                self.refused[name] = log["error"]
        else:
            command = CODEC.decode("ScheduleCommand", send.value)
            self.released.append(command["schedule_id"])
            self.ended.append(orjson.loads(command["payload"]))


def ticket(
    name: str, gates: tuple[Gate, ...], at_us: int, trigger_type: str = "WEBHOOK", task_id: str | None = None
) -> Ticket:
    """Of an event before the gates. `task_id`: which record has brought it."""
    log = {
        "id": f"log-{name}", "revision": 1, "tenant_id": TENANT, "workflow_id": FLOW,
        "workflow_run_id": f"run-{name}", "trigger_type": trigger_type, "trigger_data": "{}",
        "inputs": orjson.dumps({"name": name}).decode(), "status": "PENDING", "created_at": at_us,
        "app_trigger_id": "trigger", "event_id": f"event-{name}", "task_id": task_id,
    }  # fmt: skip
    command = {
        "command_id": f"start/run-{name}", "kind": "START", "workflow_run_id": f"run-{name}",
        "tenant_id": TENANT, "app_id": "app", "workflow_id": FLOW, "version": "1", "workflows_offset": 0,
        "issued_at": at_us, "payload": orjson.dumps({"inputs": {"name": name}}).decode(), "trigger_log": log,
    }  # fmt: skip
    start, encoded = CODEC.encode("RunCommand", command), CODEC.encode("WorkflowTriggerLog", log)
    return Ticket(TENANT, FLOW, at_us, gates, "run.commands", f"run-{name}", start, encoded)


def gate(kind: str, key: str = "", **config: Any) -> Gate:
    """Of the workflow."""
    return Gate.of(FLOW, kind, key, config)


RATE_LIMIT = gate("rate_limit", limit=2, period_s=10)
THROTTLE = gate("throttle", limit=1, period_s=2, burst=1, max_wait_s=60)
TRAILING = gate("debounce", period_s=3, mode="trailing", max_wait_s=8)
LEADING = gate("debounce", period_s=3, mode="leading", max_wait_s=8)
BATCH = gate("batch", max_size=3, timeout_s=5)
HOLD = gate("hold", since=START_US)
DEPENDS = gate("depends", triggers=["other"], mode="all", window_s=20)
