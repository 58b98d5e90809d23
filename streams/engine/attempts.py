"""One attempt at a node: run in the hop or given to an executor, and what comes of its failure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from schemas.ids import node_execution_id
from schemas.resumption import KeptNode
from schemas.traces import child
from streams.engine.commands import NodeResult
from streams.engine.containers import Containers, spend
from streams.engine.definition import NodePlan
from streams.engine.effects import NodeExecuted, Record, TasksCancelled, TaskScheduled
from streams.engine.errors import NodeFailure
from streams.engine.frame import Frame
from streams.engine.frames import Frames
from streams.engine.nodes import LOOP_END
from streams.engine.nodes.protocol import Outcome, Writes
from streams.engine.options import Options
from streams.engine.pure import pure_task
from streams.engine.records import (
    UNFIT_VALUES,
    US,
    add_metadata,
    as_json,
    cancellation_record,
    ended_execution,
    execution_record,
    is_told_at_its_end,
    span_around,
    task_record,
)
from streams.engine.state import RunState, Waiting

TIMED_OUT = "TimedOut"
"""Type of the error of a node that took too long, for error branches; as executors name it."""


class Steps(Protocol):
    """The hop, as far as attempts need it."""

    state: RunState
    frames: Frames
    options: Options
    base: Record
    now_us: int
    told_bytes: int
    """Of the values that records and tasks of the hop have."""

    def now(self) -> int:
        """Microseconds."""

    def deadline_us(self) -> int:
        """When the run has had its time."""

    def emit(self, effect: NodeExecuted | TasksCancelled) -> None:
        """An effect of the hop."""

    def fail(self, reason: str) -> None:
        """Ends the run."""

    def proceed(
        self, frame: Frame, plan: NodePlan, outputs: Mapping[str, Any] | None, handle: str | None
    ) -> None:
        """The node is done."""

    def write(self, frame: Frame, writes: Writes, step: int) -> None:
        """The node has written variables of others."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Belongs to one hop."""

    hop: Steps
    containers: Containers
    tasks: list[TaskScheduled] = field(default_factory=list)
    """For the executors; sent after all records of the hop."""

    def execute(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        """Runs a pure node to its end."""
        assert plan.pure is not None
        hop = self.hop
        record = execution_record(hop.base, plan, execution_id, waiting, frame.container)
        if frame.marks:
            add_metadata(record, frame.marks)
        try:
            outcome = plan.pure.run(frame.pool)
            _show(record, outcome)
        except NodeFailure as failure:
            self._finish(record)
            record["inputs"] = as_json(failure.inputs)
            self.failed(frame, plan, waiting, record, failure)
        except UNFIT_VALUES as wrong:
            self._finish(record)
            self.failed(frame, plan, waiting, record, NodeFailure(str(wrong), type(wrong).__name__))
        else:
            self._finish(record)
            hop.emit(NodeExecuted(record))
            if outcome.writes:
                hop.write(frame, outcome.writes, waiting.step)
            if plan.type == LOOP_END:
                self.containers.stop_loop(frame)
            hop.proceed(frame, plan, outcome.outputs, outcome.handle)

    def keep(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting, kept: KeptNode) -> None:
        """Takes the node as it was executed by the run that this one resumes: nothing is done again, and no
        tokens are counted again."""
        waiting = waiting._replace(inputs=as_json(kept["inputs"]))
        record = execution_record(self.hop.base, plan, execution_id, waiting, frame.container)
        record["status"], record["error"] = kept["status"], kept["error"]
        record["outputs"] = as_json(kept["outputs"])
        record["process_data"] = as_json(kept["process_data"]) if kept["process_data"] else None
        record["finished_at"] = waiting.created_at
        add_metadata(record, kept["metadata"])
        self.hop.state.exceptions += kept["status"] == "exception"
        self.hop.emit(NodeExecuted(record))
        if kept["writes"]:
            written = {(node_id, name): value for node_id, name, value in kept["writes"]}
            self.hop.write(frame, written, waiting.step)
        self.hop.proceed(frame, plan, kept["outputs"], kept["handle"])

    def schedule(self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        """Gives the node to an executor."""
        hop, state = self.hop, self.hop.state
        try:
            task = pure_task(plan, frame.pool) if plan.task is None else plan.task.task(frame.pool)
            waiting = waiting._replace(inputs=as_json(task.inputs))
            record = task_record(state, plan, execution_id, waiting, task.config)
        except (NodeFailure, *UNFIT_VALUES) as wrong:
            self.refuse(frame, plan, execution_id, waiting, wrong)
            return
        state.wait_for(execution_id, waiting)
        if not is_told_at_its_end(state, plan):
            begun = execution_record(hop.base, plan, execution_id, waiting, frame.container)
            if frame.marks:
                add_metadata(begun, frame.marks)
            hop.emit(NodeExecuted(begun))
        around = span_around(hop.base, frame.container)
        self._limit(record, plan)
        hop.told_bytes += len(record["config"])
        self.tasks.append(TaskScheduled(record, state.queue, child(around, execution_id)))

    def look_at_due(self, by_id: Mapping[str, NodePlan]) -> None:
        """Begins the attempts whose time has come, and ends those that have had theirs."""
        state, now_us = self.hop.state, self.hop.now_us
        due = [alarm for alarm in state.alarms if alarm.due_at <= now_us]
        for _, execution_id in due:
            if state.ended:
                return
            waiting = state.waiting(execution_id)
            assert waiting is not None
            plan = by_id[waiting.node_id]
            if waiting.revision:
                self._time_out(plan, execution_id, waiting)
                continue
            state.no_longer_waits(execution_id)
            frame = self.hop.frames.get(waiting.path)
            begun = waiting._replace(created_at=now_us, revision=1)
            self.schedule(frame, plan, execution_id, begun)

    def ended(self, plan: NodePlan, result: NodeResult, waiting: Waiting) -> None:
        """Takes what an executor says of the node."""
        hop, state = self.hop, self.hop.state
        state.no_longer_waits(result.node_execution_id)
        frame = hop.frames.get(waiting.path)
        record = execution_record(hop.base, plan, result.node_execution_id, waiting, frame.container)
        ended_execution(record, result, waiting, hop.now_us)
        if not is_told_at_its_end(state, plan):
            record["revision"] += 1
        metadata = result.execution_metadata
        if metadata:
            spend(state, frame, metadata)
        if result.status != "succeeded":
            reason = result.error or "failed without a reason"
            record["outputs"] = as_json(result.outputs) if result.outputs else None
            failure = NodeFailure(
                reason,
                result.error_type or "NodeError",
                status_code=result.status_code,
                retry_after_s=result.retry_after_s,
            )
            self.failed(frame, plan, waiting, record, failure, metadata)
            return
        record["status"] = "succeeded"
        record["outputs"] = as_json(result.outputs)
        add_metadata(record, metadata, frame.marks)
        hop.emit(NodeExecuted(record))
        if result.writes:
            hop.write(frame, result.writes, waiting.step)
        hop.proceed(frame, plan, result.outputs, result.edge_source_handle)

    def refuse(
        self, frame: Frame, plan: NodePlan, execution_id: str, waiting: Waiting, wrong: Exception
    ) -> None:
        """The node cannot even begin."""
        failure = wrong if isinstance(wrong, NodeFailure) else NodeFailure(str(wrong))
        record = execution_record(self.hop.base, plan, execution_id, waiting, frame.container)
        record["finished_at"] = self.hop.now_us
        self.failed(frame, plan, waiting, record, failure)

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
        hop, told = self.hop, metadata or {}
        hop.state.exceptions += 1
        record["error"] = failure.reason
        if not hop.state.single_step and plan.policy.retrying.tries_again(waiting.attempt, failure):
            record["status"] = "retry"
            add_metadata(record, told, frame.marks, {"retry_index": waiting.attempt})
            hop.emit(NodeExecuted(record))
            self._try_again(frame, plan, waiting, failure)
            return
        handled = plan.policy.handle(failure.reason, failure.error_type)
        if handled is None:
            record["status"] = "failed"
            if told or frame.marks:
                add_metadata(record, _metadata_of(record), told, frame.marks)
            hop.emit(NodeExecuted(record))
            self._break(frame, plan, failure)
            return
        record["status"] = "exception"
        record["outputs"] = as_json(handled.outputs)
        strategy = {"error_strategy": plan.policy.strategy}
        add_metadata(record, _metadata_of(record), told, frame.marks, strategy)
        hop.emit(NodeExecuted(record))
        hop.proceed(frame, plan, handled.outputs, handled.handle)

    def _finish(self, record: Record) -> None:
        finished_at = self.hop.now()
        record["elapsed_time"] = (finished_at - record["created_at"]) / US
        record["finished_at"] = finished_at

    def _try_again(self, frame: Frame, plan: NodePlan, waiting: Waiting, failure: NodeFailure) -> None:
        state, now_us = self.hop.state, self.hop.now_us
        attempt = waiting.attempt + 1
        execution_id = node_execution_id(state.run_id, plan.id, frame.path, attempt)
        wait_us = plan.policy.retrying.wait_us(waiting.attempt, execution_id, failure)
        waiting = waiting._replace(attempt=attempt, created_at=now_us, inputs="{}")
        if not wait_us:
            self.schedule(frame, plan, execution_id, waiting._replace(revision=1))
            return
        state.wait_for(execution_id, waiting._replace(revision=0))
        state.look_at(execution_id, now_us + wait_us)

    def _limit(self, task: Record, plan: NodePlan) -> None:
        """Says how long the executor may take, and what becomes of the attempt if nothing is ever heard."""
        hop, options = self.hop, self.hop.options
        timeout_s = plan.policy.timeout_s or options.max_node_s
        task["timeout_ms"] = round(timeout_s * 1000)
        due_at = hop.now_us + round((timeout_s + options.node_queue_s) * US)
        task["deadline_at"] = hop.deadline_us()
        if due_at < task["deadline_at"]:
            task["deadline_at"] = due_at
            hop.state.look_at(task["node_execution_id"], due_at)

    def _time_out(self, plan: NodePlan, execution_id: str, waiting: Waiting) -> None:
        """The executor should have given up long ago: it is gone, or its result is."""
        state, now_us = self.hop.state, self.hop.now_us
        tools = (execution_id,) if plan.type == "tool" else ()
        self.hop.emit(TasksCancelled(cancellation_record(state, [execution_id], now_us), tools))
        waited_s = (now_us - waiting.created_at) / US
        reason = f"no result after {waited_s:.0f} s: whoever executes the node has not been heard of"
        result = NodeResult("", execution_id, "failed", error=reason, error_type=TIMED_OUT)
        self.ended(plan, result, waiting)

    def _break(self, frame: Frame, plan: NodePlan, failure: NodeFailure) -> None:
        """What comes after the node will not run. In a round of a container what runs beside it goes on."""
        if frame.rounds is None:
            self.hop.fail(f"node {plan.title!r} ({plan.id}): {failure.reason}")
            return
        frame.fail(plan, failure.reason)
        frame.open -= 1
        if not frame.open:
            self.containers.round_over(frame)


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
