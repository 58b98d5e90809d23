"""One hop of a run: from a command to the point where there is nothing left to do but wait."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from schemas.ids import node_execution_id
from streams.engine.commands import NodeResult
from streams.engine.definition import Definition, NodePlan
from streams.engine.effects import Effect, LogChanged, NodeExecuted, Record, RunChanged, TaskScheduled
from streams.engine.errors import NodeFailure
from streams.engine.nodes.protocol import Outcome, Task
from streams.engine.options import Options
from streams.engine.pool import INPUTS, Pool
from streams.engine.records import (
    as_json,
    ended_execution,
    execution_base,
    execution_record,
    log_record,
    run_record,
    task_record,
)
from streams.engine.responses import merged_outputs
from streams.engine.state import (
    FAILED,
    PARTIAL_SUCCEEDED,
    ROOT,
    STOPPED,
    SUCCEEDED,
    Frame,
    RunState,
    Waiting,
)
from streams.engine.traversal import leave

_ENV = "env"
_US = 1_000_000
_DEFAULT_QUEUE = "default"

_UNFIT_VALUES = (TypeError, ValueError, RecursionError)
"""Raised by values that are no JSON, or nested too deep for it: lone surrogates, hundreds of levels."""


class Hop:
    """Works on a state of its own. Use: one of `begin`, `resume`, `stop`, `fail`, then `settle`."""

    def __init__(self, definition: Definition, state: RunState, options: Options, now_us: int) -> None:
        self.state = state
        self.effects: list[Effect] = []
        self._definition = definition
        self._options = options
        self._now_us = now_us
        self._now: Callable[[], int] = options.clock or (lambda: now_us)
        self._base = execution_base(state)
        self._ready: deque[tuple[str, NodePlan, str | None]] = deque()
        self._tasks: list[TaskScheduled] = []
        self._is_first = state.steps == 0
        for frame in state.frames.values():
            frame.values[_ENV] = definition.environment

    def begin(self, inputs: Mapping[str, Any], system: Mapping[str, Any]) -> None:
        """Runs from the start node."""
        definition = self._definition
        values: dict[str, Mapping[str, Any]] = {INPUTS: inputs, "sys": system, _ENV: definition.environment}
        if definition.conversation:
            values["conversation"] = definition.conversation
        self.state.frames[ROOT] = Frame(values)
        self._ready.append((ROOT, definition.plans[0], None))
        self._run()

    def resume(self, result: NodeResult, waiting: Waiting) -> None:
        """Goes on after a node that was with an executor."""
        del self.state.waiting[result.node_execution_id]
        plan = self._definition.by_id[waiting.node_id]
        record = execution_record(self._base, plan, result.node_execution_id, waiting)
        ended_execution(record, result, waiting, self._now_us)
        if result.status == "succeeded":
            record["status"] = "succeeded"
            record["outputs"] = as_json(result.outputs)
            self.effects.append(NodeExecuted(record))
            if result.writes:
                self._write(waiting.path, result.writes)
            self._proceed(waiting.path, plan, result.outputs, result.edge_source_handle)
        else:
            reason = result.error or "failed without a reason"
            record["outputs"] = as_json(result.outputs) if result.outputs else None
            self._failed(waiting.path, plan, record, NodeFailure(reason, result.error_type or "NodeError"))
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
        outputs: str | None = None
        if not state.ended and not state.waiting:
            outputs = as_json(merged_outputs(self._definition.responses, state.frames[ROOT].values))
            state.status = PARTIAL_SUCCEEDED if state.exceptions else SUCCEEDED
        if state.ended:
            self._abandon()
            self._report(outputs)
            state.forget()
            return
        if self._is_first:
            self._report(outputs)
        self.effects += self._tasks
        started = self._definition.plans[0].id in state.frames[ROOT].values
        for frame in state.frames.values():
            del frame.values[_ENV]
            if started:
                frame.values.pop(INPUTS, None)

    def _run(self) -> None:
        ready, state, options = self._ready, self.state, self._options
        late_us = self._now_us - state.started_at - options.max_run_s * _US
        while ready and not state.ended:
            path, plan, predecessor = ready.popleft()
            if late_us > 0:
                self.fail(f"maximum execution time exceeded: {options.max_run_s} s")
            elif state.steps >= options.max_steps:
                self.fail(f"maximum execution steps exceeded: {options.max_steps}")
            else:
                state.steps += 1
                execution_id = node_execution_id(state.run_id, plan.id, path)
                if plan.pure is None or options.every_node_a_hop:
                    self._schedule(path, plan, predecessor, execution_id)
                else:
                    self._execute(path, plan, predecessor, execution_id)

    def _execute(self, path: str, plan: NodePlan, predecessor: str | None, execution_id: str) -> None:
        assert plan.pure is not None
        started_at = self._now()
        waiting = Waiting(path, plan.id, 1, self.state.steps, predecessor, started_at, "{}", 1)
        record = execution_record(self._base, plan, execution_id, waiting)
        try:
            outcome = plan.pure.run(self.state.frames[path].values)
            _show(record, outcome)
        except NodeFailure as failure:
            self._finish(record, started_at)
            record["inputs"] = as_json(failure.inputs)
            self._failed(path, plan, record, failure)
        except _UNFIT_VALUES as wrong:
            self._finish(record, started_at)
            self._failed(path, plan, record, NodeFailure(str(wrong), type(wrong).__name__))
        else:
            self._finish(record, started_at)
            self.effects.append(NodeExecuted(record))
            if outcome.writes:
                self._write(path, outcome.writes)
            self._proceed(path, plan, outcome.outputs, outcome.handle)

    def _write(self, path: str, writes: Mapping[tuple[str, str], Any]) -> None:
        values = self.state.frames[path].values
        for (node_id, name), value in writes.items():
            values[node_id] = {**values.get(node_id, {}), name: value}

    def _finish(self, record: Record, started_at: int) -> None:
        finished_at = self._now()
        record["elapsed_time"] = (finished_at - started_at) / _US
        record["finished_at"] = finished_at

    def _schedule(self, path: str, plan: NodePlan, predecessor: str | None, execution_id: str) -> None:
        state = self.state
        waiting = Waiting(path, plan.id, 1, state.steps, predecessor, self._now_us, "{}", 1)
        try:
            values = state.frames[path].values
            task = _pure_task(plan, values) if plan.task is None else plan.task.task(values)
            waiting = waiting._replace(inputs=as_json(task.inputs))
        except (NodeFailure, *_UNFIT_VALUES) as wrong:
            failure = wrong if isinstance(wrong, NodeFailure) else NodeFailure(str(wrong))
            record = execution_record(self._base, plan, execution_id, waiting)
            record["finished_at"] = self._now_us
            self._failed(path, plan, record, failure)
            return
        state.waiting[execution_id] = waiting
        self.effects.append(NodeExecuted(execution_record(self._base, plan, execution_id, waiting)))
        record = task_record(state, plan, execution_id, waiting, task.config)
        record["deadline_at"] = state.started_at + self._options.max_run_s * _US
        queue = (state.trigger_log or {}).get("queue_name") or _DEFAULT_QUEUE
        self._tasks.append(TaskScheduled(record, queue))

    def _proceed(self, path: str, plan: NodePlan, outputs: Mapping[str, Any], handle: str | None) -> None:
        frame = self.state.frames[path]
        frame.values[plan.id] = outputs
        for target, predecessor in leave(self._definition, frame, plan, handle):
            self._ready.append((path, target, predecessor))

    def _failed(self, path: str, plan: NodePlan, record: Record, failure: NodeFailure) -> None:
        record["error"] = failure.reason
        handled = plan.policy.handle(failure.reason, failure.error_type)
        if handled is None:
            record["status"] = "failed"
            self.effects.append(NodeExecuted(record))
            self.fail(f"node {plan.title!r} ({plan.id}): {failure.reason}")
            return
        record["status"] = "exception"
        record["outputs"] = as_json(handled.outputs)
        record["execution_metadata"] = as_json({"error_strategy": plan.policy.strategy})
        self.effects.append(NodeExecuted(record))
        self.state.exceptions += 1
        self._proceed(path, plan, handled.outputs, handled.handle)

    def _abandon(self) -> None:
        """What is with an executor has no one to report to any more."""
        for execution_id, waiting in self.state.waiting.items():
            plan = self._definition.by_id.get(waiting.node_id)
            record = execution_record(self._base, plan, execution_id, waiting)
            record["revision"] += 1
            record["status"], record["error"] = "stopped", self.state.error
            record["elapsed_time"] = (self._now_us - waiting.created_at) / _US
            record["finished_at"] = self._now_us
            self.effects.append(NodeExecuted(record))

    def _report(self, outputs: str | None) -> None:
        state = self.state
        now_us = max(self._now(), state.started_at)
        state.revision += 1
        self.effects.append(RunChanged(run_record(state, self._definition, outputs, now_us)))
        if state.trigger_log is not None:
            state.trigger_log = log_record(state.trigger_log, state, outputs, now_us)
            self.effects.append(LogChanged(state.trigger_log))


def _show(record: Record, outcome: Outcome) -> None:
    """What a pure node did. Raises `TypeError` for what JSON cannot hold."""
    inputs = record["inputs"] = as_json(outcome.inputs)
    record["outputs"] = inputs if outcome.outputs is outcome.inputs else as_json(outcome.outputs)
    if outcome.process_data:
        record["process_data"] = as_json(outcome.process_data)
    record["status"] = "succeeded"


def _pure_task(plan: NodePlan, values: Pool) -> Task:
    """A pure node for an executor, who calls `pure.execute_pure`: its inputs are the pool that it reads."""
    pool: dict[str, dict[str, Any]] = {}
    reads = (
        plan.reads
        if plan.type != "start"
        else [(name, key) for name in (INPUTS, "sys") for key in values[name]]
    )
    for name, variable in reads:
        if name in values and variable in values[name]:
            pool.setdefault(name, {})[variable] = values[name][variable]
    return Task(plan.config, pool)
