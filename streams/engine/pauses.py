"""Carries out pauses: a node asks or waits, and an answer or the end of its time lets the run go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from schemas.pauses import PAUSE, Answer, BadAnswer, read_answer
from streams.engine.commands import Resume
from streams.engine.definition import Definition, NodePlan
from streams.engine.effects import NodeExecuted, Record
from streams.engine.errors import NodeFailure
from streams.engine.frame import Frame
from streams.engine.frames import Frames
from streams.engine.nodes.protocol import Asked, Asking, Outcome
from streams.engine.options import Options
from streams.engine.records import US, add_metadata, as_json, execution_record
from streams.engine.state import PAUSED, RUNNING, Pending, RunState, Waiting

_PART = "p:"
"""What is kept of a pause is a part of the state under this and its execution id."""


MOST_FORM_BYTES = 512 * 1024
"""Of what a node asks, as JSON. It travels whole in each record of the node: whoever answers needs it."""


class Found(NamedTuple):
    """The pause that an answer is for."""

    execution_id: str
    answer: Answer


class Steps(Protocol):
    """The hop, as far as pauses need it."""

    state: RunState
    frames: Frames
    options: Options
    base: Record
    now_us: int

    def emit(self, effect: NodeExecuted) -> None:
        """An effect of the hop."""

    def proceed(self, frame: Frame, plan: NodePlan, outputs: Mapping[str, Any], handle: str | None) -> None:
        """The node is done."""


def find_pause(state: RunState, command: Resume) -> Found | None:
    """None where the command is none for this run as it stands.

    It was applied already, the pause that it names is over, it names none while there are several, or its
    answer does not fit the form. Nothing changes then, and the run goes on waiting.
    """
    if command.interaction_id in state.interactions:
        return None
    ids = [pending.execution_id for pending in state.pauses]
    if command.node_execution_id is not None:
        ids = [execution_id for execution_id in ids if execution_id == command.node_execution_id]
    if command.node_id is not None:
        ids = [execution_id for execution_id in ids if _node_id(state, execution_id) == command.node_id]
    if len(ids) != 1:
        return None
    try:
        return Found(ids[0], read_answer(state.parts.get(_PART + ids[0]), command.inputs, command.action))
    except BadAnswer:
        return None


@dataclass(slots=True)
class Pauses:
    """Belongs to one hop."""

    hop: Steps
    definition: Definition
    was: str = RUNNING
    """The status that the run had before the hop."""

    def thaw(self) -> None:
        """The run is looked at. Time that it spent paused does not count against its limit."""
        state = self.hop.state
        self.was = state.status
        if state.status == PAUSED:
            state.paused_us += max(0, self.hop.now_us - state.paused_at)
            state.status = RUNNING

    def freeze(self, *, has_tasks: bool) -> bool:
        """Pauses the run if nothing but answers can let it go on. Says whether its status is another now.

        `has_tasks`: the hop gives nodes to executors. Then there is no need to look at all that waits, of
        which a large run has much.
        """
        state = self.hop.state
        if state.pauses and not (has_tasks or state.alarms or self._goes_on()):
            state.status, state.paused_at = PAUSED, self.hop.now_us
        return state.status != self.was

    def begin(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        """The node asks, or is done at once. Raises `NodeFailure` for one that cannot."""
        hop, state = self.hop, self.hop.state
        assert plan.pause is not None
        asked = plan.pause.ask(frame.pool, Asking(hop.now_us, hop.options.max_wait_s))
        if asked.inputs:
            waiting = waiting._replace(inputs=as_json(asked.inputs))
        if asked.expires_at <= hop.now_us:
            self._pass(frame, plan, execution_id, waiting, asked)
            return
        metadata = {**asked.metadata, "node_id": plan.id, "node_title": plan.title}
        if (size := len(as_json(metadata).encode())) > MOST_FORM_BYTES:
            raise NodeFailure(
                f"the form has {size} bytes, at most {MOST_FORM_BYTES} can be asked", "HumanInputError"
            )
        record = execution_record(hop.base, plan, execution_id, waiting, frame.container)
        record["status"] = "paused"
        add_metadata(record, frame.marks, _told(state, execution_id, asked.expires_at, metadata))
        state.wait_for(execution_id, waiting)
        state.parts.put(_PART + execution_id, metadata)
        state.pauses = tuple(sorted((*state.pauses, Pending(asked.expires_at, execution_id))))
        hop.emit(NodeExecuted(record))

    def answer(self, found: Found, command: Resume) -> None:
        """The node is done."""
        plan = self._plan(found.execution_id)
        assert plan.pause is not None
        metadata = self.hop.state.parts.get(_PART + found.execution_id)
        outcome = plan.pause.answered(metadata, found.answer)
        state = self.hop.state
        state.interactions = (*state.interactions, command.interaction_id)
        told = {"answered_by": command.by, "interaction_id": command.interaction_id}
        self._end(found.execution_id, plan, outcome, told)

    def expire(self) -> None:
        """Those that nobody answered in time are done, too."""
        for pending in self.hop.state.pauses:
            if pending.expires_at <= self.hop.now_us:
                plan = self._plan(pending.execution_id)
                assert plan.pause is not None
                metadata = self.hop.state.parts.get(_PART + pending.execution_id)
                self._end(pending.execution_id, plan, plan.pause.expired(metadata), {})

    def _pass(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting, asked: Asked) -> None:
        """Its time is over before it begins."""
        assert plan.pause is not None
        outcome = plan.pause.expired(asked.metadata)
        record = execution_record(self.hop.base, plan, execution_id, waiting, frame.container)
        record["status"], record["finished_at"] = "succeeded", waiting.created_at
        record["outputs"] = as_json(outcome.outputs)
        if frame.marks:
            add_metadata(record, frame.marks)
        self.hop.emit(NodeExecuted(record))
        self.hop.proceed(frame, plan, outcome.outputs, outcome.handle)

    def _end(self, execution_id: str, plan: NodePlan, outcome: Outcome, told: Mapping[str, Any]) -> None:
        hop, state = self.hop, self.hop.state
        waiting = state.waiting(execution_id)
        assert waiting is not None
        (pending,) = (one for one in state.pauses if one.execution_id == execution_id)
        frame = hop.frames.get(waiting.path)
        record = execution_record(hop.base, plan, execution_id, waiting, frame.container)
        pause = _told(state, execution_id, pending.expires_at, state.parts.get(_PART + execution_id))[PAUSE]
        add_metadata(record, frame.marks, {PAUSE: {**pause, **told}})
        record["revision"] += 1
        record["status"] = "succeeded"
        if outcome.inputs:
            record["inputs"] = as_json(outcome.inputs)
        record["outputs"] = as_json(outcome.outputs)
        record["elapsed_time"] = max(0, self.hop.now_us - waiting.created_at) / US
        record["finished_at"] = max(self.hop.now_us, waiting.created_at)
        state.no_longer_waits(execution_id)
        state.parts.drop(_PART + execution_id)
        state.pauses = tuple(one for one in state.pauses if one.execution_id != execution_id)
        hop.emit(NodeExecuted(record))
        hop.proceed(frame, plan, outcome.outputs, outcome.handle)

    def _goes_on(self) -> bool:
        """Whether anything is under way besides the containers around those that wait for an answer."""
        paused = {pending.execution_id for pending in self.hop.state.pauses}
        by_id = self.definition.by_id
        return any(
            by_id[waiting.node_id].container is None
            for execution_id, waiting in self.hop.state.all_waiting()
            if execution_id not in paused
        )

    def _plan(self, execution_id: str) -> NodePlan:
        waiting = self.hop.state.waiting(execution_id)
        assert waiting is not None
        return self.definition.by_id[waiting.node_id]


def _node_id(state: RunState, execution_id: str) -> str:
    waiting = state.waiting(execution_id)
    assert waiting is not None
    return waiting.node_id


def _told(
    state: RunState, execution_id: str, expires_at: int, metadata: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """For `execution_metadata`: WorkflowPause of the seed, as far as the record has it nowhere else.

    The record of a single step has no run, yet its answer must find the way here.
    """
    pause = {"id": execution_id, "pause_expires_at": expires_at // US, "pause_metadata": metadata}
    return {PAUSE: {**pause, "workflow_run_id": state.run_id} if state.single_step else pause}
