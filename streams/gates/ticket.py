"""An event on its way through the gates before its workflow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.ids import gate_key
from schemas.triggers.schedule import ScheduleConfig
from streams.schedules import run_ended
from transport.producer import Send


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate that an event is to pass."""

    kind: str
    gate_key: str
    key: str
    """What the expression gave, for people."""
    config: Mapping[str, Any]

    @classmethod
    def of(cls, owner: str, kind: str, key: str, config: Mapping[str, Any]) -> "Gate":
        """`owner`: the workflow or trigger whose gate it is."""
        return cls(kind, gate_key(owner, kind, key), key, config)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is behind `gates` is the start of a run, as it will be sent."""

    tenant_id: str
    workflow_id: str
    at_us: int
    """When the event came to the first of `gates`."""
    gates: tuple[Gate, ...]
    topic: str
    key: str
    start: bytes
    log: bytes

    @property
    def gate(self) -> Gate:
        """The one before which it stands."""
        return self.gates[0]

    def passed(self, codec: Codec, now_us: int) -> Send:
        """To the next gate, or to the run."""
        return replace(self, gates=self.gates[1:], at_us=max(self.at_us, now_us)).send(codec)

    def send(self, codec: Codec) -> Send:
        """To the first of `gates`, or to the run where there is none."""
        if not self.gates:
            return Send(self.topic, self.key.encode(), self.start)
        return Send("gate.commands", self.gate.gate_key.encode(), self.encode(codec))

    def refused(self, codec: Codec, reason: str, now_us: int, run_id: str | None = None) -> list[Send]:
        """It starts nothing: its log says why. `run_id`: the run that it has become a part of."""
        log = codec.decode("WorkflowTriggerLog", self.log)
        stopped = {
            **log,
            "revision": log["revision"] + 1,
            "status": "STOPPED",
            "error": reason,
            "workflow_run_id": run_id,
            "finished_at": now_us,
        }
        sends = [Send("trigger.logs", log["id"].encode(), codec.encode("WorkflowTriggerLog", stopped))]
        if log["trigger_type"] == ScheduleConfig.type and log["app_trigger_id"]:
            # The schedule may be waiting for the end of that run.
            sends.append(
                run_ended(codec, self.tenant_id, log["app_trigger_id"], log["workflow_run_id"], now_us)
            )
        return sends

    def event_id(self, codec: Codec) -> str:
        """Of its event."""
        found: str = codec.decode("WorkflowTriggerLog", self.log)["event_id"] or ""
        return found

    def log_id(self, codec: Codec) -> str:
        """Of its log: the same whenever the event comes again."""
        found: str = codec.decode("WorkflowTriggerLog", self.log)["id"]
        return found

    def answered(self, codec: Codec, run_id: str, pause_id: str, now_us: int) -> AvroRecord:
        """Its log, which says that it starts nothing: it was the answer that a run has waited for."""
        log = codec.decode("WorkflowTriggerLog", self.log)
        metadata = {**orjson.loads(log["trigger_metadata"] or "{}"), "answered_pause_id": pause_id}
        return {
            **log,
            "revision": log["revision"] + 1,
            "status": "SUCCESS",
            "workflow_run_id": run_id,
            "trigger_metadata": orjson.dumps(metadata).decode(),
            "triggered_at": now_us,
            "finished_at": now_us,
            "elapsed_time": max(0, now_us - log["created_at"]) / 1e6,
        }

    def encode(self, codec: Codec) -> bytes:
        """As a GateCommand."""
        gates = [
            {"kind": g.kind, "gate_key": g.gate_key, "key": g.key, "config": g.config} for g in self.gates
        ]
        record = {
            "gate_key": self.gate.gate_key,
            "kind": "ENTER",
            "tenant_id": self.tenant_id,
            "workflow_id": self.workflow_id,
            "issued_at": self.at_us,
            "gates": orjson.dumps(gates).decode(),
            "start_topic": self.topic,
            "start_key": self.key,
            "start": self.start,
            "log": self.log,
        }
        return codec.encode("GateCommand", record)

    @classmethod
    def decode(cls, command: AvroRecord) -> "Ticket":
        """Of a GateCommand of kind ENTER."""
        return cls(
            tenant_id=command["tenant_id"],
            workflow_id=command["workflow_id"],
            at_us=command["issued_at"],
            gates=tuple(Gate(**gate) for gate in orjson.loads(command["gates"])),
            topic=command["start_topic"],
            key=command["start_key"],
            start=command["start"],
            log=command["log"],
        )


def kind_of(gate: str) -> str:
    """Of a gate, by its key."""
    return gate.split(":")[1]


def told(codec: Codec, gate: str, kind: str, ticket: Mapping[str, Any], payload: Mapping[str, Any]) -> Send:
    """A command that is no event: NOTE or RESUME. `ticket`: tenant_id, workflow_id, issued_at."""
    record = {"gate_key": gate, "kind": kind, **ticket, "payload": orjson.dumps(payload).decode()}
    return Send("gate.commands", gate.encode(), codec.encode("GateCommand", record))
