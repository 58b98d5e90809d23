"""One hop of a run: from a command to the point where there is nothing left to do but wait."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from schemas.ids import node_execution_id
from streams.engine import conversation
from streams.engine.commands import NodeResult, Resume
from streams.engine.containers import Containers, spend
from streams.engine.definition import Definition, NodePlan
from streams.engine.effects import Effect, LogChanged, NodeExecuted, Record, RunChanged, TaskScheduled
from streams.engine.errors import NodeFailure
from streams.engine.frames import Frame, Frames
from streams.engine.nodes import LOOP_END, UNRECORDED
from streams.engine.nodes.protocol import Outcome
from streams.engine.options import Options
from streams.engine.pauses import Found, Pauses
from streams.engine.pool import CONVERSATION, INPUTS, Pool
from streams.engine.pure import pure_task
from streams.engine.records import (
    US,
    add_metadata,
    as_json,
    ended_execution,
    execution_base,
    execution_record,
    log_record,
    run_record,
    task_record,
)
from streams.engine.responses import merged_outputs
from streams.engine.state import FAILED, PARTIAL_SUCCEEDED, STOPPED, SUCCEEDED, Retry, RunState, Waiting
from streams.engine.traversal import leave

_UNFIT_VALUES = (TypeError, ValueError, RecursionError)
"""Raised by values that are no JSON, or nested too deep for it: lone surrogates, hundreds of levels."""

NOTHING: Mapping[str, Any] = {}

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
    ) -> None:
        """`brought`: values that references stand for, by digest."""
        self.state = state
        self.effects: list[Effect] = []
        self.options = options
        self.base = execution_base(state)
        self.frames = Frames(definition, state, brought)
        self.emit = self.effects.append
        self.now: Callable[[], int] = options.clock or (lambda: now_us)
        self._definition = definition
        self._now_us = now_us
        self._containers = Containers(self)
        self._pauses = Pauses(self, definition, now_us)
        self._pauses.thaw()
        self._ready: deque[tuple[Frame, NodePlan, str | None]] = deque()
        self._tasks: list[TaskScheduled] = []
        self._is_first = state.steps == 0

    def begin(self, inputs: Mapping[str, Any], system: Mapping[str, Any], given: Pool) -> None:
        """Runs from the start node. `given`: what is in the variable pool already, for a single step."""
        values: dict[str, Mapping[str, Any]] = {INPUTS: inputs, "sys": system}
        if self._definition.conversation:
            values[CONVERSATION] = self._definition.conversation
        for node_id, variables in given.items():
            values[node_id] = {**values.get(node_id, {}), **variables}
        self.reach(self.frames.root(values), self._definition.root.plans[0], None)
        self._run()

    def resume(self, result: NodeResult, waiting: Waiting) -> None:
        """Goes on after a node that was with an executor."""
        self.state.no_longer_waits(result.node_execution_id)
        plan = self._definition.by_id[waiting.node_id]
        frame = self.frames.get(waiting.path)
        record = execution_record(self.base, plan, result.node_execution_id, waiting)
        ended_execution(record, result, waiting, self._now_us)
        metadata = result.execution_metadata
        if metadata:
            spend(self.state, frame, metadata)
        if result.status == "succeeded":
            record["status"] = "succeeded"
            record["outputs"] = as_json(result.outputs)
            add_metadata(record, metadata, frame.marks)
            self.emit(NodeExecuted(record))
            if result.writes:
                self._write(frame, result.writes, waiting.step)
            self.proceed(frame, plan, result.outputs, result.edge_source_handle)
        else:
            reason = result.error or "failed without a reason"
            record["outputs"] = as_json(result.outputs) if result.outputs else None
            failure = NodeFailure(reason, result.error_type or "NodeError")
            self.failed(frame, plan, waiting, record, failure, metadata)
        self._run()

    def answer(self, found: Found, command: Resume) -> None:
        """Goes on after a node that has its answer."""
        self._pauses.answer(found, command)
        self._run()

    def wake(self) -> None:
        """Begins the attempts whose time has come, and ends the pauses whose time is over."""
        due = [retry for retry in self.state.retries if retry.due_at <= self._now_us]
        self.state.retries = self.state.retries[len(due) :]
        for _, execution_id in due:
            waiting = self.state.waiting(execution_id)
            assert waiting is not None
            self.state.no_longer_waits(execution_id)
            plan = self._definition.by_id[waiting.node_id]
            frame = self.frames.get(waiting.path)
            self._schedule(frame, plan, execution_id, waiting._replace(created_at=self._now_us, revision=1))
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
        state = self.state
        if state.ended:
            self._abandon()
            self._end(None)
            return
        root = self.frames.root()
        if not root.open:
            outputs = as_json(merged_outputs(self._definition.root.responses, root.pool))
            state.status = PARTIAL_SUCCEEDED if state.exceptions else SUCCEEDED
            self._tell(conversation.answered(state, self._system(), outputs, self._now_us))
            self._end(outputs)
            return
        if self._pauses.freeze() or self._is_first:
            self._report(None)
        self.effects += self._tasks
        if root.has(self._definition.root.plans[0].id):
            self.frames.forget(INPUTS)
        self.frames.write()

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
        self,
        frame: Frame,
        plan: NodePlan,
        waiting: Waiting,
        record: Record,
        failure: NodeFailure,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """The node has failed: it is tried again, or has an error strategy, or fails what it is in."""
        self.state.exceptions += 1
        told = metadata or {}
        record["error"] = failure.reason
        if waiting.attempt <= plan.policy.retries and not self.state.single_step:
            record["status"] = "retry"
            add_metadata(record, told, frame.marks, {"retry_index": waiting.attempt})
            self.emit(NodeExecuted(record))
            self._try_again(frame, plan, waiting)
            return
        handled = plan.policy.handle(failure.reason, failure.error_type)
        if handled is None:
            record["status"] = "failed"
            if told or frame.marks:
                add_metadata(record, _metadata_of(record), told, frame.marks)
            self.emit(NodeExecuted(record))
            self._break(frame, plan, failure)
            return
        record["status"] = "exception"
        record["outputs"] = as_json(handled.outputs)
        strategy = {"error_strategy": plan.policy.strategy}
        add_metadata(record, _metadata_of(record), told, frame.marks, strategy)
        self.emit(NodeExecuted(record))
        self.proceed(frame, plan, handled.outputs, handled.handle)

    def _run(self) -> None:
        ready, state, options = self._ready, self.state, self.options
        late_us = self._now_us - self._deadline_us()
        while ready and not state.ended:
            frame, plan, predecessor = ready.popleft()
            if plan.type in UNRECORDED:
                self.proceed(frame, plan, None, None)
            elif late_us > 0:
                self.fail(f"maximum execution time exceeded: {options.max_run_s} s")
            elif state.steps >= options.max_steps:
                self.fail(f"maximum execution steps exceeded: {options.max_steps}")
            else:
                state.steps += 1
                self._enter(frame, plan, predecessor)

    def _enter(self, frame: Frame, plan: NodePlan, predecessor: str | None) -> None:
        state = self.state
        execution_id = node_execution_id(state.run_id, plan.id, frame.path)
        is_hop = plan.pure is None or self.options.every_node_a_hop
        started_at = self._now_us if is_hop else self.now()
        waiting = Waiting(frame.path, plan.id, _FIRST, state.steps, predecessor, started_at, "{}", 1)
        if plan.container is not None or plan.pause is not None:
            self._open(frame, plan, execution_id, waiting)
        elif is_hop and plan.type != LOOP_END:
            self._schedule(frame, plan, execution_id, waiting)
        else:
            self._execute(frame, plan, execution_id, waiting)

    def _execute(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        assert plan.pure is not None
        record = execution_record(self.base, plan, execution_id, waiting)
        if frame.marks:
            add_metadata(record, frame.marks)
        try:
            outcome = plan.pure.run(frame.pool)
            _show(record, outcome)
        except NodeFailure as failure:
            self._finish(record)
            record["inputs"] = as_json(failure.inputs)
            self.failed(frame, plan, waiting, record, failure)
        except _UNFIT_VALUES as wrong:
            self._finish(record)
            self.failed(frame, plan, waiting, record, NodeFailure(str(wrong), type(wrong).__name__))
        else:
            self._finish(record)
            self.emit(NodeExecuted(record))
            if outcome.writes:
                self._write(frame, outcome.writes, waiting.step)
            if plan.type == LOOP_END:
                self._containers.stop_loop(frame)
            self.proceed(frame, plan, outcome.outputs, outcome.handle)

    def _finish(self, record: Record) -> None:
        finished_at = self.now()
        record["elapsed_time"] = (finished_at - record["created_at"]) / US
        record["finished_at"] = finished_at

    def _open(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        begin = self._pauses.begin if plan.pause is not None else self._containers.begin
        try:
            begin(frame, plan, execution_id, waiting)
        except (NodeFailure, *_UNFIT_VALUES) as wrong:
            self._refuse(frame, plan, execution_id, waiting, wrong)

    def _schedule(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        state = self.state
        try:
            task = pure_task(plan, frame.pool) if plan.task is None else plan.task.task(frame.pool)
            waiting = waiting._replace(inputs=as_json(task.inputs))
            record = task_record(state, plan, execution_id, waiting, task.config)
        except (NodeFailure, *_UNFIT_VALUES) as wrong:
            self._refuse(frame, plan, execution_id, waiting, wrong)
            return
        state.wait_for(execution_id, waiting)
        begun = execution_record(self.base, plan, execution_id, waiting)
        if frame.marks:
            add_metadata(begun, frame.marks)
        self.emit(NodeExecuted(begun))
        record["deadline_at"] = self._deadline_us()
        self._tasks.append(TaskScheduled(record, state.queue))

    def _deadline_us(self) -> int:
        state = self.state
        return state.started_at + state.paused_us + self.options.max_run_s * US

    def _refuse(
        self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting, wrong: Exception
    ) -> None:
        """The node cannot even begin."""
        failure = wrong if isinstance(wrong, NodeFailure) else NodeFailure(str(wrong))
        record = execution_record(self.base, plan, execution_id, waiting)
        record["finished_at"] = self._now_us
        self.failed(frame, plan, waiting, record, failure)

    def _break(self, frame: Frame, plan: NodePlan, failure: NodeFailure) -> None:
        """What comes after the node will not run. In a round of a container what runs beside it goes on."""
        if frame.rounds is None:
            self.fail(f"node {plan.title!r} ({plan.id}): {failure.reason}")
            return
        frame.fail(plan, failure.reason)
        frame.open -= 1
        if not frame.open:
            self._containers.round_over(frame)

    def _try_again(self, frame: Frame, plan: NodePlan, waiting: Waiting) -> None:
        state, interval_us = self.state, plan.policy.interval_us
        attempt = waiting.attempt + 1
        execution_id = node_execution_id(state.run_id, plan.id, frame.path, attempt)
        waiting = waiting._replace(attempt=attempt, created_at=self._now_us, inputs="{}")
        if not interval_us:
            self._schedule(frame, plan, execution_id, waiting._replace(revision=1))
            return
        state.wait_for(execution_id, waiting._replace(revision=0))
        retry = Retry(self._now_us + interval_us, execution_id)
        state.retries = tuple(sorted((*state.retries, retry)))

    def _write(self, frame: Frame, writes: Mapping[tuple[str, str], Any], step: int) -> None:
        self.frames.assign(frame, writes)
        self._tell(conversation.written(self.state, self._system(), step, writes, self._now_us))

    def _system(self) -> Mapping[str, Any]:
        return self.frames.root().pool.get("sys") or NOTHING

    def _tell(self, changed: Effect | None) -> None:
        if changed is not None:
            self.emit(changed)

    def _abandon(self) -> None:
        """What is with an executor has no one to report to any more."""
        for execution_id, waiting in self.state.all_waiting():
            if not waiting.revision:
                continue
            plan = self._definition.by_id.get(waiting.node_id)
            record = execution_record(self.base, plan, execution_id, waiting)
            record["revision"] += 1
            record["status"], record["error"] = "stopped", self.state.error
            record["elapsed_time"] = (self._now_us - waiting.created_at) / US
            record["finished_at"] = self._now_us
            if plan is not None and waiting.path:
                add_metadata(record, self.frames.get(waiting.path).marks)
            self.emit(NodeExecuted(record))

    def _end(self, outputs: str | None) -> None:
        self._report(outputs)
        self.state.forget()

    def _report(self, outputs: str | None) -> None:
        state = self.state
        if state.single_step:
            return
        now_us = max(self.now(), state.started_at)
        state.revision += 1
        self.emit(RunChanged(run_record(state, self._definition, outputs, now_us)))
        if (log := state.trigger_log) is not None:
            state.trigger_log = log = log_record(log, state, outputs, now_us)
            self.emit(LogChanged(log))


def _metadata_of(record: Record) -> Mapping[str, Any]:
    """What the record of a container says about its rounds."""
    from_json: str | None = record["execution_metadata"]
    return {} if from_json is None else orjson.loads(from_json)


def _show(record: Record, outcome: Outcome) -> None:
    """What a pure node did. Raises `TypeError` for what JSON cannot hold."""
    inputs = record["inputs"] = as_json(outcome.inputs)
    record["outputs"] = inputs if outcome.outputs is outcome.inputs else as_json(outcome.outputs)
    if outcome.process_data:
        record["process_data"] = as_json(outcome.process_data)
    record["status"] = "succeeded"
