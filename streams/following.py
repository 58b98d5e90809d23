"""What follows from a command to a run: its records, and what these make other runs and stages do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.references import may_have_references
from schemas.traces import TRACEPARENT
from schemas.triggers.schedule import ScheduleConfig
from streams.engine.effects import (
    ConversationChanged,
    Effect,
    LogChanged,
    NodeExecuted,
    RunChanged,
    TasksCancelled,
    TaskScheduled,
)
from streams.engine.state import RunState
from streams.fetching import Fetcher
from streams.fitting import fitting, fitting_bytes
from streams.gates.answers import waits
from streams.gates.retries import ended_run, run_again
from streams.offload import Offload, Owner
from streams.placeholders import without_placeholders
from streams.returns import cancellation, result_for
from streams.schedules import run_ended
from streams.shell.stage import Decision
from transport.cancellations import CANCELLATIONS
from transport.feed import DefinitionsFeed
from transport.producer import Send

Headers = tuple[tuple[str, bytes], ...]


class Run(NamedTuple):
    """The run that a command was for, as it is afterwards."""

    state: RunState
    secrets: Sequence[Mapping[str, Any]]
    """The secret variables of its workflow."""
    caller: Mapping[str, Any] | None
    """Who waits for its end: see `streams.calls`."""
    headers: Headers
    graph: str | None = None
    """As JSON, of a run of the draft."""


@dataclass(frozen=True, kw_only=True)
class Following:
    """Turns effects into messages. Used by one stage, on the loop's thread."""

    feed: DefinitionsFeed
    codec: Codec
    fetcher: Fetcher
    offload: Offload

    def add(self, effects: Sequence[Effect], run: Run, decision: Decision) -> None:
        """All of it, to the sends and uploads of the decision. Raises `NotYet` while an output that a caller
        gets is under way."""
        kept: Sequence[Effect] = effects
        if run.secrets:
            kept = [_without_secrets(effect, run.secrets) for effect in effects]
        if run.graph is not None:
            kept = [_with_graph(effect, run.graph) for effect in kept]
        limit = self.offload.limit(run.state.triggered_from)
        most = fitting_bytes(limit)
        for effect in kept:
            send = _send(self.codec, effect, effect.record, run.headers)
            if send.value is not None and (len(send.value) > most or may_have_references(send.value)):
                owner = Owner(run.state.tenant_id, run.state.run_id)
                record = fitting(effect, owner, limit, decision.uploads)
                send = _send(self.codec, effect, record, run.headers)
            decision.sends.append(send)
        for effect in kept:
            decision.sends.extend(self._consequences(effect, run, decision))

    def _consequences(self, effect: Effect, run: Run, decision: Decision) -> Iterable[Send]:
        if isinstance(effect, NodeExecuted):
            return waits(self.codec, effect.record)
        match effect:
            case LogChanged(record) if record["finished_at"] is not None:
                return self._ended(record)
            case RunChanged(record) if run.caller and record["finished_at"] is not None:
                return (self._command(result_for(run.caller, record, self.fetcher, decision.uploads), run),)
            case TasksCancelled(record, tools):
                # What these nodes may have called is to end with them.
                ends = (cancellation(tool, record["tenant_id"], record["issued_at"]) for tool in tools)
                return [self._command(command, run) for command in ends]
        return ()

    def _ended(self, log: AvroRecord) -> list[Send]:
        deployed = self.feed.definitions.deployed(log["app_trigger_id"] or "")
        retry = deployed.settings.retry if deployed else None
        told = ended_run(self.codec, log, retry)
        if log["trigger_type"] == ScheduleConfig.type:
            ended = (log["tenant_id"], log["app_trigger_id"], log["workflow_run_id"], log["finished_at"])
            told.insert(0, run_ended(self.codec, *ended, run_again(log, retry)))
        return told

    def _command(self, command: AvroRecord, run: Run) -> Send:
        key = command["workflow_run_id"].encode()
        return Send("run.commands", key, self.codec.encode("RunCommand", command), run.headers)


def _without_secrets(effect: Effect, secrets: Sequence[Mapping[str, Any]]) -> Effect:
    """Only a task may say which secret is meant."""
    if isinstance(effect, TaskScheduled):
        return effect
    return replace(effect, record=without_placeholders(effect.record, secrets))


def _with_graph(effect: Effect, graph: str) -> Effect:
    return RunChanged({**effect.record, "graph": graph}) if isinstance(effect, RunChanged) else effect


def _send(codec: Codec, effect: Effect, record: AvroRecord, headers: Headers) -> Send:
    match effect:
        case NodeExecuted():
            topic, schema = "node.executions", "WorkflowNodeExecution"
            key = record["workflow_run_id"] or record["id"]
        case RunChanged():
            topic, schema, key = "runs", "WorkflowRun", record["id"]
        case LogChanged():
            topic, schema, key = "trigger.logs", "WorkflowTriggerLog", record["id"]
        case ConversationChanged():
            topic, schema, key = "conversation.commands", "ConversationCommand", record["conversation_key"]
        case TaskScheduled(queue=queue, traceparent=traceparent):
            topic, schema, key = f"node.tasks.{queue}", "NodeTask", record["node_execution_id"]
            headers = ((TRACEPARENT, traceparent.encode()),)
        case TasksCancelled():
            topic, schema, key = CANCELLATIONS, "NodeCancellation", record["workflow_run_id"]
    return Send(topic, key.encode(), codec.encode(schema, record), headers)
