"""The second stage: tells the engine what has come for a run, keeps its state, sends what follows."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, NamedTuple

import orjson

from schemas.codec import Codec
from schemas.codec import Record as AvroRecord
from schemas.errors import InvalidDefinition
from schemas.ids import canonical_json
from schemas.models import DRAFT, Workflow, WorkflowHead
from streams.engine.advance import Advanced, advance, due_us, give_up
from streams.engine.commands import Cancel, Command, NodeResult, Resume, Start, Timer
from streams.engine.definition import Definition
from streams.engine.errors import NeedsValue, NewerState
from streams.engine.options import Options
from streams.engine.parts import NO_ROWS, PartRows
from streams.engine.state import SPLIT_BYTES, RunState, decode, encode, never_begun
from streams.fetching import Fetcher
from streams.following import Following, Headers, Run
from streams.gates.answers import overruled
from streams.library import Library, Version
from streams.offload import Offload, Owner, packed_row
from streams.resumption import told
from streams.returns import MAY_PRECEDE_START
from streams.run_rows import PINNED, RunParts, RunRow, is_workflow, part_key, row_due
from streams.shell.errors import TooNew
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Send

_ASKED_AGAIN_S = 60.0
"""A run that was told that its time has come is told again after this, should it be so late."""

_OUTAGE_S = 60.0
"""A row that is served so late was nobody's for a while."""

_KEPT_ON_S = 600.0
"""How long a finished run is kept after that: a start that was repeated by a crash before comes only now."""

Count = Callable[[str, str], None]
"""Told the kind of each command and its outcome: applied or stale."""

Ended = Callable[[str], None]
"""Told the status of each run that ends."""


_KINDS: dict[type[Command], str] = {
    Start: "START",
    NodeResult: "NODE_RESULT",
    Cancel: "CANCEL",
    Resume: "RESUME",
    Timer: "TIMER",
}


class Runner:
    """Reads `run.commands`; keeps `runs`; writes runs, node executions, tasks and trigger logs."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        options: Options,
        finished_ttl_s: float,
        count: Count,
        *,
        fetcher: Fetcher,
        offload: Offload,
        ended: Ended,
    ) -> None:
        self._feed = feed
        self._library = Library(feed.definitions, every_node_a_hop=options.every_node_a_hop)
        self._codec = codec
        self._options = options
        self._finished_ttl_s = finished_ttl_s
        self._count = count
        self._ended = ended
        self._fetcher = fetcher
        self._following = Following(feed=feed, codec=codec, fetcher=fetcher, offload=offload)

    def stage(self) -> Stage:
        """The declaration that the shell runs."""
        return Stage(
            "engine",
            "run.commands",
            self.decide,
            table="runs",
            due=row_due,
            on_due=self.on_due,
            owner=lambda key, row: _state(key, RunRow.decode(row)).tenant_id,
        )

    def run_whole(
        self, workflow: WorkflowHead, start: Start, now: float, headers: Headers
    ) -> Decision | None:
        """All that comes of a run that ends in the hop it begins in, for whoever has just made its start: no
        command and no row. None for any other run, which is to be told by a command. See docs/adr/0024.

        `start` has a trigger log, and nothing by reference.
        """
        log = start.trigger_log
        assert log is not None, "it is of an event"
        if self._options.every_node_a_hop or start.resumption is not None:
            return None
        if not _is_settled(workflow, log["created_at"]):
            return None
        try:
            definition = self._library.compiled(workflow, entry=log["root_node_id"] or "")
            if definition.waits:
                return None
            advanced = advance(definition, None, start, round(now * 1e6), self._options)
        except (InvalidDefinition, NeedsValue, TypeError):
            return None
        if advanced.state is None or not advanced.state.ended:
            return None
        decision = Decision()
        run = Run(advanced.state, workflow.secret_variables, None, headers)
        self._following.add(advanced.effects, run, decision)
        self._count("START", "applied")
        self._ended(advanced.state.status)
        return decision

    def decide(self, record: Record, kept: Kept, now: float) -> Decision:
        """One command. Raises `NotYet` while its sender knew more workflows than we do, and while what it
        refers to is under way."""
        with self._fetcher.deciding():
            return self._decide(record, kept, now)

    def _decide(self, record: Record, kept: Kept, now: float) -> Decision:
        command_record = self._codec.decode("RunCommand", record.value)
        if self._feed.offset(WORKFLOWS) < command_record["workflows_offset"]:
            raise NotYet(partial(self._feed.reach, WORKFLOWS, command_record["workflows_offset"]))
        run_id, kind = command_record["workflow_run_id"], command_record["kind"]
        row = kept.get(run_id)
        if self._is_erased(command_record, row):
            self._count(kind, "stale")
            return _forgotten(run_id, kept)
        if row is None and kind != "START":
            return self._early(command_record, now)
        headers = tuple([h for h in record.headers if h[0] == "traceparent"])
        owner = Owner(command_record["tenant_id"], run_id)
        command_record["payload"] = self._fetcher.document(owner, command_record["payload"])
        standing = self._before(command_record) if row is None else self._stand(row, run_id, kept)
        if standing is None:
            self._count(kind, "stale")
            return Decision(self._overruled(command_record, _answers(row), now))
        command = told(command_record, self._fetcher)
        if isinstance(command, Timer):
            # As of when it was due, so that whoever decides it again finds the same.
            now = command_record["issued_at"] / 1e6
        decision = self._advance(standing, command, now, headers, record.timestamp_ms * 1000)
        if isinstance(command, Resume) and not decision.sends:
            decision.sends += self._overruled(command_record, _answers(row), now)
        return decision

    def on_due(self, key: str, row: bytes, kept: Kept, now: float) -> Decision:
        """An attempt begins, the time of a pause or of the run is up, or a finished run is forgotten.

        The run is told so by a command, and nothing else is done here: the order of commands is the same for
        whoever decides them again, while rows may be due sooner or later. See docs/adr/0023.
        """
        if self._feed.definitions.erased and self._is_erased_row(key, row):
            return _forgotten(key, kept)
        with self._fetcher.deciding():
            standing = self._stand(row, key, kept)
        found = RunRow.decode(row)
        if standing is not None:
            assert standing.state is not None, "a run that is kept has begun"
            return Decision([self._timer(standing.state, now)], again_s=_ASKED_AGAIN_S)
        if now - found.due_s > _OUTAGE_S:
            return Decision(writes={key: found._replace(due_s=now + _KEPT_ON_S).encode()})
        return _forgotten(key, kept)

    def _is_erased(self, command: AvroRecord, row: bytes | None) -> bool:
        """Whether the run is one of a tenant that was erased after it had begun: nobody is to hear of it."""
        until = self._feed.definitions.erased.get(command["tenant_id"])
        if until is None:
            return False
        if row is not None:
            return self._is_erased_row(command["workflow_run_id"], row)
        if command["issued_at"] < until:
            return True
        # One that was called by such a run comes later than that.
        versions = self._feed.definitions.versions(command["workflow_id"])
        return command["kind"] == "START" and command["version"] not in versions

    def _is_erased_row(self, run_id: str, row: bytes) -> bool:
        state = _state(run_id, RunRow.decode(row))
        return state.event_at < self._feed.definitions.erased.get(state.tenant_id, 0.0)

    def _timer(self, state: RunState, now: float) -> Send:
        record = {
            "command_id": f"timer/{state.run_id}",
            "kind": "TIMER",
            "workflow_run_id": state.run_id,
            "tenant_id": state.tenant_id,
            "app_id": state.app_id,
            "workflow_id": state.workflow_id,
            "version": state.version,
            "workflows_offset": 0,
            "issued_at": round(now * 1e6),
            "payload": "{}",
        }
        return Send("run.commands", state.run_id.encode(), self._codec.encode("RunCommand", record))

    def _early(self, command: AvroRecord, now: float) -> Decision:
        """A command for a run that is not here, or not any more. The cancel of one that may yet be called is
        kept for its start to find."""
        decision, kind = Decision(), command["kind"]
        if kind == "CANCEL" and orjson.loads(command["payload"]).get(MAY_PRECEDE_START):
            head, _ = encode(never_begun(command["workflow_run_id"], command["tenant_id"]))
            row = RunRow(now + self._finished_ttl_s, b"", head)
            decision.writes[command["workflow_run_id"]] = row.encode()
        self._count(kind, "applied" if decision.writes else "stale")
        decision.sends += self._overruled(command, (), now)
        return decision

    def _overruled(self, command: AvroRecord, taken: Collection[str], now: float) -> list[Send]:
        return list(overruled(self._codec, command, taken, round(now * 1e6)))

    def _before(self, command: AvroRecord) -> "_Standing":
        head = self._library.head(command["workflow_id"], command["version"])
        pinned = _pinned(self._library.find(head.id, DRAFT)) if head.version == DRAFT else b""
        return _Standing(head, None, pinned)

    def _stand(self, encoded: bytes, run_id: str, kept: Kept) -> "_Standing | None":
        """None for a run that has ended: nothing changes it, and its workflow may be gone."""
        row = RunRow.decode(encoded)
        parts = RunParts(run_id, kept, lambda digest: self._fetcher.content(_owner(state), digest))
        state = _state(run_id, row, parts)
        if state.ended:
            return None
        if row.pinned:
            return _Standing(self._library.pinned(row.pinned, parts.pinned), state, row.pinned)
        return _Standing(self._library.head(state.workflow_id, state.version), state, b"")

    def _advance(
        self,
        standing: "_Standing",
        command: Command,
        now: float,
        headers: Headers,
        arrived_us: int,
    ) -> Decision:
        definition = self._library.compiled(
            standing.workflow, _only(standing.state, command), _entry(standing.state, command)
        )
        now_us = round(now * 1e6)
        try:
            advanced = self._bring_and_advance(definition, standing.state, command, now_us, arrived_us)
            return self._decided(advanced, standing, command, now, headers)
        except (TypeError, RecursionError) as wrong:
            reason = f"values are nested too deeply, or none that JSON can hold: {wrong}"
        advanced = give_up(definition, standing.state, command, reason, now_us, self._options)
        return self._decided(advanced, standing, command, now, headers)

    def _decided(
        self, advanced: Advanced, standing: "_Standing", command: Command, now: float, headers: Headers
    ) -> Decision:
        """What is kept and told of it. Raises `TypeError` where JSON cannot hold that."""
        kind, decision = _KINDS[type(command)], Decision()
        if advanced.state is None or not advanced.effects:
            self._count(kind, "stale")
        else:
            secrets = standing.workflow.secret_variables
            graph = self._graph(standing)
            run = Run(advanced.state, secrets, _caller(standing.state, command), headers, graph)
            self._following.add(advanced.effects, run, decision)
            # A run that ends in its first hop leaves no row: told again, it gives the same records again.
            if not (standing.state is None and advanced.state.ended):
                self._write(advanced.state, standing.pinned, now, decision)
            self._count(kind, "applied")
            if advanced.state.ended:
                self._ended(advanced.state.status)
        return decision

    def _graph(self, standing: "_Standing") -> str | None:
        """Of a draft. That of a version is in its definition."""
        if not standing.pinned:
            return None
        workflow = standing.workflow
        if isinstance(workflow, WorkflowHead):
            workflow = self._library.find(workflow.id, DRAFT)
        return canonical_json(workflow.graph).decode()

    def _bring_and_advance(
        self,
        definition: Definition,
        state: RunState | None,
        command: Command,
        now_us: int,
        arrived_us: int,
    ) -> Advanced:
        """Raises `NotYet` while a value that a node looks at is under way."""
        brought: dict[str, Any] = {}
        while True:
            try:
                return advance(definition, state, command, now_us, self._options, brought, arrived_us)
            except NeedsValue as needed:
                owner = _owner(command if isinstance(command, Start) else state)
                self._fetcher.bring(owner, needed.digest, brought)

    def _write(self, state: RunState, pinned: bytes, now: float, decision: Decision) -> None:
        """The row of the run and, if it has grown, those of its parts."""
        writes, owner = decision.writes, _owner(state)
        head, parts = encode(state, max(SPLIT_BYTES - len(pinned), 0))
        for key, row in parts.items():
            writes[part_key(state.run_id, key)] = packed_row(row, owner, decision.uploads)
        due = due_us(state, self._options)
        if due is None:
            writes[state.run_id] = RunRow(now + self._finished_ttl_s, b"", head).encode()
            return
        if parts and is_workflow(pinned):
            writes[part_key(state.run_id, PINNED)] = pinned
            pinned = hashlib.sha256(pinned).digest()
        writes[state.run_id] = RunRow(due / 1e6, pinned, head).encode()


class _Standing(NamedTuple):
    """Where a run is before a command."""

    workflow: Version
    state: RunState | None
    pinned: bytes
    """See `RunRow`."""


def _is_settled(workflow: WorkflowHead, since_us: int) -> bool:
    """Whether an event of that time finds this version, or a newer one, whenever it is looked at."""
    return workflow.version != DRAFT and workflow.updated_at.timestamp() * 1e6 < since_us


def _state(run_id: str, row: RunRow, parts: PartRows = NO_ROWS) -> RunState:
    try:
        return decode(row.state, parts)
    except NewerState as newer:
        raise TooNew(f"run {run_id}: {newer}") from newer


def _forgotten(run_id: str, kept: Kept) -> Decision:
    return Decision(writes=dict.fromkeys([run_id, *kept.under(part_key(run_id, ""))]))


def _only(state: RunState | None, command: Command) -> str:
    """The node that runs alone, if one does."""
    if state is not None:
        return state.single_step
    return command.single_step if isinstance(command, Start) else ""


def _entry(state: RunState | None, command: Command) -> str:
    """The node that the run begins with, as the router has found it."""
    log = command.trigger_log if isinstance(command, Start) else state.trigger_log if state else None
    return (log or {}).get("root_node_id") or ""


def _caller(state: RunState | None, command: Command) -> Mapping[str, Any] | None:
    """Who waits for the end of the run, if anyone does."""
    if state is not None:
        return state.caller
    return command.caller if isinstance(command, Start) else None


def _answers(row: bytes | None) -> Collection[str]:
    """Those that the run of the row has."""
    return decode(RunRow.decode(row).state).interactions if row is not None else ()


def _pinned(workflow: Workflow) -> bytes:
    """The draft may change while the run is under way."""
    return workflow.model_dump_json(exclude={"graph_hash"}).encode()


def _owner(run: RunState | Start | None) -> Owner:
    assert run is not None
    return Owner(run.tenant_id, run.run_id)
