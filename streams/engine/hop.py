"""One hop of a run: from a command to the point where there is nothing left to do but wait."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from schemas.ids import node_execution_id
from schemas.resumption import KeptNode
from streams.engine import conversation
from streams.engine.attempts import Attempts
from streams.engine.commands import NodeResult, Resume
from streams.engine.containers import Containers
from streams.engine.definition import Definition, NodePlan
from streams.engine.effects import Effect, NodeExecuted, Record
from streams.engine.errors import NodeFailure
from streams.engine.frame import Frame
from streams.engine.frames import Frames
from streams.engine.nodes import LOOP_END, UNRECORDED
from streams.engine.nodes.protocol import Writes
from streams.engine.options import Options
from streams.engine.pauses import Found, Pauses
from streams.engine.pool import CONVERSATION, INPUTS, KEPT, Pool
from streams.engine.records import UNFIT_VALUES, as_json, execution_base, trace_of
from streams.engine.reports import abandoned, report
from streams.engine.responses import merged_outputs
from streams.engine.state import (
    FAILED,
    PARTIAL_SUCCEEDED,
    PAUSED,
    STOPPED,
    SUCCEEDED,
    RunState,
    Waiting,
)
from streams.engine.traversal import leave

NOTHING: Mapping[str, Any] = {}

_DOCUMENTS = ("inputs", "outputs", "process_data", "execution_metadata")
"""Fields of the record of a node that have no bound of their own."""

_FIRST = 1
"""Number of the first attempt."""


class Hop:
    """Works on a state of its own. Use: one of `begin`, `resume`, `answer`, `wake`, `stop`, `fail`, then
    `settle`."""

    def __init__(
        self,
        definition: Definition,
        state: RunState,
        options: Options,
        now_us: int,
        brought: Mapping[str, Any] = NOTHING,
        arrived_us: int | None = None,
    ) -> None:
        """`brought`: values that references stand for, by digest. `arrived_us`: see `advance`."""
        self.state = state
        self.effects: list[Effect] = []
        self.options = options
        self._trace = trace_of(state)
        self.base = execution_base(state, definition.workflow_type, self._trace)
        self.frames = Frames(definition, state, brought)
        self.told_bytes = 0
        self.now: Callable[[], int] = options.clock or (lambda: now_us)
        self.now_us = now_us
        self._arrived_us = now_us if arrived_us is None else arrived_us
        self._definition = definition
        self._containers = Containers(self)
        self._attempts = Attempts(self, self._containers)
        self._pauses = Pauses(self, definition)
        self._pauses.thaw()
        self._ready: deque[tuple[Frame, NodePlan, str | None]] = deque()
        self._is_first = state.steps == 0
        self._kept: Mapping[str, KeptNode] = NOTHING
        """What is not executed again, by node id."""

    def begin(self, inputs: Mapping[str, Any], system: Mapping[str, Any], given: Pool) -> None:
        """Runs from the start node. `given`: what is in the variable pool already, for a single step or of
        the run that this one resumes."""
        values: dict[str, Mapping[str, Any]] = {INPUTS: inputs, "sys": system}
        if self._definition.conversation:
            values[CONVERSATION] = self._definition.conversation
        for node_id, variables in given.items():
            values[node_id] = {**values.get(node_id, {}), **variables}
        self.reach(self.frames.root(values), self._definition.root.plans[0], None)
        self._run()

    def resume(self, result: NodeResult, waiting: Waiting) -> None:
        """Goes on after a node that was with an executor."""
        self._attempts.ended(self._definition.by_id[waiting.node_id], result, waiting)
        self._run()

    def answer(self, found: Found, command: Resume) -> None:
        """Goes on after a node that has its answer."""
        self._pauses.answer(found, command)
        self._run()

    def wake(self) -> None:
        """Begins the attempts whose time has come, and ends those and the pauses whose time is over."""
        self._attempts.look_at_due(self._definition.by_id)
        self._pauses.expire()
        self._run()

    def stop(self, reason: str) -> None:
        """Ends the run on request."""
        self.state.status, self.state.error = STOPPED, reason

    def fail(self, reason: str) -> None:
        """Ends the run as failed."""
        self.state.status, self.state.error = FAILED, reason

    def settle(self) -> None:
        """Adds the changes of the run and of its trigger log, after which the hop is over."""
        self._settle()
        # They hold the hop: all that it has made would stay until the garbage collector came by.
        del self._attempts, self._containers, self._pauses
        self.frames.release()

    def _settle(self) -> None:
        state = self.state
        if state.ended:
            unsent = {task.record["node_execution_id"] for task in self._attempts.tasks}
            self.effects += abandoned(state, self._definition, self.frames, self.base, self.now_us, unsent)
            self._tell(conversation.over(state, self._system(), None, self.now_us))
            self._end(None)
            return
        root = self.frames.root()
        if not root.open:
            outputs = as_json(merged_outputs(self._definition.root.responses, root.pool))
            state.status = PARTIAL_SUCCEEDED if state.exceptions else SUCCEEDED
            self._tell(conversation.over(state, self._system(), outputs, self.now_us))
            self._end(outputs)
            return
        if self._pauses.freeze(has_tasks=bool(self._attempts.tasks)) or self._is_first:
            self._report(None)
            if state.status == PAUSED:
                self._tell(conversation.over(state, self._system(), None, self.now_us))
        self.effects += self._attempts.tasks
        if root.has(self._definition.root.plans[0].id):
            self.frames.forget(INPUTS)
        if self._is_first and root.has(KEPT) and all(map(root.has, root.pool[KEPT])):
            self.frames.forget(KEPT)
        self.frames.write()

    def emit(self, effect: Effect) -> None:
        """An effect of the hop."""
        self.effects.append(effect)
        if isinstance(effect, NodeExecuted):
            self.told_bytes += sum(len(effect.record[name] or "") for name in _DOCUMENTS)

    def reach(self, frame: Frame, plan: NodePlan, predecessor: str | None) -> None:
        """The node is ready."""
        frame.open += 1
        self._ready.append((frame, plan, predecessor))

    def proceed(
        self, frame: Frame, plan: NodePlan, outputs: Mapping[str, Any] | None, handle: str | None
    ) -> None:
        """The node is done: on to those after it. `outputs` is None for one that has none to be seen."""
        if outputs is not None:
            frame.values[plan.id] = outputs
        ready = leave(frame, plan, handle)
        for target, predecessor in ready:
            self._ready.append((frame, target, predecessor))
        frame.open += len(ready) - 1
        if not frame.open and frame.rounds is not None:
            self._containers.round_over(frame)

    def failed(
        self, frame: Frame, plan: NodePlan, waiting: Waiting, record: Record, failure: NodeFailure
    ) -> None:
        """The node has failed."""
        self._attempts.failed(frame, plan, waiting, record, failure)

    def write(self, frame: Frame, writes: Writes, step: int) -> None:
        """A node in the frame has written variables of others, or of the conversation."""
        self.frames.assign(frame, writes)
        self._tell(conversation.written(self.state, self._system(), step, writes, self.now_us))

    def deadline_us(self) -> int:
        """When the run has had its time, if it is not paused again."""
        return self.state.deadline_us(self.options.max_run_s)

    def _run(self) -> None:
        ready, state, options = self._ready, self.state, self.options
        late_us = self._arrived_us - self.deadline_us()
        root = self.frames.root()
        self._kept = root.pool[KEPT] if root.has(KEPT) else NOTHING
        while ready and not state.ended:
            frame, plan, predecessor = ready.popleft()
            if plan.type in UNRECORDED:
                self.proceed(frame, plan, None, None)
            elif late_us > 0:
                self.fail(f"maximum execution time exceeded: {options.max_run_s} s")
            elif self.told_bytes > options.max_hop_bytes:
                self.fail(f"maximum size exceeded: more than {options.max_hop_bytes} bytes of values at once")
            elif state.steps >= options.max_steps:
                self.fail(f"maximum execution steps exceeded: {options.max_steps}")
            else:
                state.steps += 1
                self._enter(frame, plan, predecessor)

    def _enter(self, frame: Frame, plan: NodePlan, predecessor: str | None) -> None:
        state = self.state
        execution_id = node_execution_id(state.run_id, plan.id, frame.path)
        is_hop = plan.pure is None or self.options.every_node_a_hop
        started_at = self.now_us if is_hop else self.now()
        waiting = Waiting(frame.path, plan.id, _FIRST, state.steps, predecessor, started_at, "{}", 1)
        if frame.rounds is None and plan.id in self._kept:
            self._attempts.keep(frame, plan, execution_id, waiting, self._kept[plan.id])
        elif plan.container is not None or plan.pause is not None:
            self._open(frame, plan, execution_id, waiting)
        elif is_hop and plan.type != LOOP_END:
            self._attempts.schedule(frame, plan, execution_id, waiting)
        else:
            self._attempts.execute(frame, plan, execution_id, waiting)

    def _open(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        begin = self._pauses.begin if plan.pause is not None else self._containers.begin
        try:
            begin(frame, plan, execution_id, waiting)
        except (NodeFailure, *UNFIT_VALUES) as wrong:
            self._attempts.refuse(frame, plan, execution_id, waiting, wrong)

    def _system(self) -> Mapping[str, Any]:
        return self.frames.root().pool.get("sys") or NOTHING

    def _tell(self, changed: Effect | None) -> None:
        if changed is not None:
            self.emit(changed)

    def _end(self, outputs: str | None) -> None:
        self._report(outputs)
        self.state.forget()

    def _report(self, outputs: str | None) -> None:
        self.effects += report(self.state, self._definition, outputs, self.now(), self._trace)
