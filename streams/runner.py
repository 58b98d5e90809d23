"""The second stage: tells the engine what has come for a run, keeps its state, sends what follows."""

from collections.abc import Callable, Sequence
from functools import partial

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.models import DRAFT, AppTriggerType, Workflow
from streams.engine.advance import advance
from streams.engine.commands import Cancel, Command, NodeResult, Start, Timer, command_of
from streams.engine.effects import Effect, LogChanged, NodeExecuted, RunChanged, TaskScheduled
from streams.engine.options import Options
from streams.engine.state import RunState, decode, encode
from streams.library import Library
from streams.run_rows import RunRow, row_due
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
        workflow, state = self._stand(row, command_record)
        headers = tuple(h for h in record.headers if h[0] == "traceparent")
        return self._advance(workflow, state, command_of(command_record), now, headers)

    def on_due(self, key: str, row: bytes, now: float) -> Decision:
        """The time of a run is up, or a finished one is forgotten."""
        kept = RunRow.decode(row)
        state = decode(kept.state)
        if state.ended:
            return Decision(writes={key: None})
        workflow = _workflow_of(kept) or self._library.find(state.workflow_id, state.version)
        return self._advance(workflow, state, Timer(f"timer/{key}"), now, ())

    def _stand(self, row: bytes | None, command: AvroRecord) -> tuple[Workflow, RunState | None]:
        """The workflow that the run is pinned to, and where it stands."""
        if row is None:
            return self._library.find(command["workflow_id"], command["version"]), None
        kept = RunRow.decode(row)
        state = decode(kept.state)
        return _workflow_of(kept) or self._library.find(state.workflow_id, state.version), state

    def _advance(
        self,
        workflow: Workflow,
        state: RunState | None,
        command: Command,
        now: float,
        headers: tuple[tuple[str, bytes], ...],
    ) -> Decision:
        definition = self._library.compiled(workflow)
        advanced = advance(definition, state, command, int(now * 1e6), self._options)
        kind = _KINDS[type(command)]
        if advanced.state is None or not advanced.effects:
            self._count(kind, "stale")
            return Decision()
        self._count(kind, "applied")
        decision = Decision(sends=self._sends(advanced.effects, headers))
        # A run that ends in its first hop leaves no row: told again, it gives the same records again.
        if not (state is None and advanced.state.ended):
            decision.writes[advanced.state.run_id] = self._row(workflow, advanced.state, now)
        return decision

    def _row(self, workflow: Workflow, state: RunState, now: float) -> bytes:
        if state.ended:
            return RunRow(now + self._finished_ttl_s, b"", encode(state)).encode()
        pinned = b""
        if workflow.version == DRAFT:
            pinned = workflow.model_dump_json(exclude={"graph_hash"}).encode()
        return RunRow(state.started_at / 1e6 + self._options.max_run_s, pinned, encode(state)).encode()

    def _sends(self, effects: Sequence[Effect], headers: tuple[tuple[str, bytes], ...]) -> list[Send]:
        sends = [_send(self._codec, effect, headers) for effect in effects]
        for effect in effects:
            if isinstance(effect, LogChanged) and _ends_scheduled_run(effect.record):
                log = effect.record
                ended = (log["tenant_id"], log["app_trigger_id"], log["workflow_run_id"], log["finished_at"])
                sends.append(run_ended(self._codec, *ended))
        return sends


def _workflow_of(kept: RunRow) -> Workflow | None:
    return Workflow.model_validate_json(kept.pinned) if kept.pinned else None


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
