"""The second stage: tells the engine what has come for a run, keeps its state, sends what follows."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.models import DRAFT, AppTriggerType, Workflow
from streams.engine.advance import advance, due_us
from streams.engine.commands import Cancel, Command, NodeResult, Start, Timer, command_of
from streams.engine.effects import Effect, LogChanged, NodeExecuted, RunChanged, TaskScheduled
from streams.engine.options import Options
from streams.engine.state import SPLIT_BYTES, RunState, decode, encode
from streams.library import Library
from streams.run_rows import PINNED, RunParts, RunRow, is_workflow, part_key, row_due
from streams.schedules import run_ended
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send

Count = Callable[[str, str], None]
"""Told the kind of each command and its outcome: applied or stale."""


_KINDS: dict[type[Command], str] = {
    Start: "START",
    NodeResult: "NODE_RESULT",
    Cancel: "CANCEL",
    Timer: "TIMER",
}


class Runner:
    """Reads `run.commands`; keeps `runs`; writes runs, node executions, tasks and trigger logs."""

    def __init__(
        self, feed: DefinitionsFeed, codec: Codec, options: Options, finished_ttl_s: float, count: Count
    ) -> None:
        self._feed = feed
        self._library = Library(feed.definitions)
        self._codec = codec
        self._options = options
        self._finished_ttl_s = finished_ttl_s
        self._count = count

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage("engine", "run.commands", self.decide, table="runs", due=row_due, on_due=self.on_due)

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Raises `NotYet` while its sender knew more workflows than we do."""
        command_record = self._codec.decode("RunCommand", record.value)
        if self._feed.offset(WORKFLOWS) < command_record["workflows_offset"]:
            raise NotYet(partial(self._feed.reach, WORKFLOWS, command_record["workflows_offset"]))
        run_id, kind = command_record["workflow_run_id"], command_record["kind"]
        row = kept.get(run_id)
        if row is None and kind != "START":
            self._count(kind, "stale")
            return Decision()
        headers = tuple(h for h in record.headers if h[0] == "traceparent")
        if row is None:
            workflow = self._library.find(command_record["workflow_id"], command_record["version"])
            standing = _Standing(workflow, None, _pin(workflow))
        else:
            standing = self._stand(RunRow.decode(row), run_id, kept)
        return self._advance(standing, command_of(command_record), now, headers)

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """An attempt begins, the time of a run is up, or a finished one is forgotten."""
        standing = self._stand(RunRow.decode(row), key, kept)
        if standing.state is not None and standing.state.ended:
            return Decision(writes=dict.fromkeys([key, *kept.under(part_key(key, ""))]))
        return self._advance(standing, Timer(f"timer/{key}"), now, ())

    def _stand(self, row: RunRow, run_id: str, kept: Kept) -> "_Standing":
        parts = RunParts(run_id, kept)
        state = decode(row.state, parts)
        if row.pinned:
            return _Standing(self._library.pinned(row.pinned, parts.pinned), state, row.pinned)
        return _Standing(self._library.find(state.workflow_id, state.version), state, b"")

    def _advance(
        self,
        standing: "_Standing",
        command: Command,
        now: float,
        headers: tuple[tuple[str, bytes], ...],
    ) -> Decision:
        definition = self._library.compiled(standing.workflow)
        advanced = advance(definition, standing.state, command, round(now * 1e6), self._options)
        kind = _KINDS[type(command)]
        if advanced.state is None or not advanced.effects:
            self._count(kind, "stale")
            return Decision()
        self._count(kind, "applied")
        decision = Decision(sends=self._sends(advanced.effects, headers))
        # A run that ends in its first hop leaves no row: told again, it gives the same records again.
        if not (standing.state is None and advanced.state.ended):
            self._write(advanced.state, standing.pinned, now, decision.writes)
        return decision

    def _write(self, state: RunState, pinned: bytes, now: float, writes: dict[str, bytes | None]) -> None:
        """The row of the run and, if it has grown, those of its parts."""
        head, parts = encode(state, max(SPLIT_BYTES - len(pinned), 0))
        writes.update((part_key(state.run_id, key), row) for key, row in parts.items())
        due = due_us(state, self._options)
        if due is None:
            writes[state.run_id] = RunRow(now + self._finished_ttl_s, b"", head).encode()
            return
        if parts and is_workflow(pinned):
            writes[part_key(state.run_id, PINNED)] = pinned
            pinned = hashlib.sha256(pinned).digest()
        writes[state.run_id] = RunRow(due / 1e6, pinned, head).encode()

    def _sends(self, effects: Sequence[Effect], headers: tuple[tuple[str, bytes], ...]) -> list[Send]:
        sends = [_send(self._codec, effect, headers) for effect in effects]
        for effect in effects:
            if isinstance(effect, LogChanged) and _ends_scheduled_run(effect.record):
                log = effect.record
                ended = (log["tenant_id"], log["app_trigger_id"], log["workflow_run_id"], log["finished_at"])
                sends.append(run_ended(self._codec, *ended))
        return sends


class _Standing(NamedTuple):
    """Where a run is before a command."""

    workflow: Workflow
    state: RunState | None
    pinned: bytes
    """See `RunRow`."""


def _pin(workflow: Workflow) -> bytes:
    """The draft may change while the run is under way."""
    if workflow.version != DRAFT:
        return b""
    return workflow.model_dump_json(exclude={"graph_hash"}).encode()


def _ends_scheduled_run(log: AvroRecord) -> bool:
    return log["trigger_type"] == AppTriggerType.SCHEDULE and log["finished_at"] is not None


def _send(codec: Codec, effect: Effect, headers: tuple[tuple[str, bytes], ...]) -> Send:
    record = effect.record
    match effect:
        case NodeExecuted():
            topic, schema, key = "node.executions", "WorkflowNodeExecution", record["workflow_run_id"]
        case RunChanged():
            topic, schema, key = "runs", "WorkflowRun", record["id"]
        case LogChanged():
            topic, schema, key = "trigger.logs", "WorkflowTriggerLog", record["id"]
        case TaskScheduled(queue=queue):
            topic, schema, key = f"node.tasks.{queue}", "NodeTask", record["node_execution_id"]
    return Send(topic, key.encode(), codec.encode(schema, record), headers)
