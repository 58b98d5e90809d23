"""What a hop says about the run as a whole: that it has begun, pauses, goes on or has ended."""

from collections.abc import Iterator, Set

from streams.engine.definition import Definition
from streams.engine.effects import LogChanged, NodeExecuted, Record, RunChanged, TasksCancelled
from streams.engine.frames import Frames
from streams.engine.records import (
    US,
    add_metadata,
    cancellation_record,
    execution_record,
    is_told_at_its_end,
    log_record,
    run_record,
)
from streams.engine.state import RunState


def report(
    state: RunState, definition: Definition, outputs: str | None, now_us: int, trace: str
) -> list[RunChanged | LogChanged]:
    """The run and its trigger log as they are now, each one revision on; nothing for a single step. `trace`:
    see `streams.engine.records.trace_of`."""
    if state.single_step:
        return []
    now_us = max(now_us, state.started_at)
    state.revision += 1
    changed: list[RunChanged | LogChanged] = [
        RunChanged(run_record(state, definition, outputs, now_us, trace))
    ]
    if (log := state.trigger_log) is not None:
        state.trigger_log = log = log_record(log, state, outputs, now_us)
        changed.append(LogChanged(log))
    return changed


def abandoned(
    state: RunState, definition: Definition, frames: Frames, base: Record, now_us: int, unsent: Set[str]
) -> Iterator[NodeExecuted | TasksCancelled]:
    """What was under way when the run ended: it has no one to report to any more. `unsent`: executions whose
    tasks nobody has got, and nobody will."""
    tasks, tools = list[str](), list[str]()
    for execution_id, waiting in state.all_waiting():
        if not waiting.revision:
            continue
        plan = definition.by_id.get(waiting.node_id)
        frame = frames.get(waiting.path) if plan is not None and waiting.path else None
        container = frame.container if frame is not None else None
        record = execution_record(base, plan, execution_id, waiting, container)
        if not is_told_at_its_end(state, plan):
            record["revision"] += 1
        record["status"], record["error"] = "stopped", state.error
        record["elapsed_time"] = max(0, now_us - waiting.created_at) / US
        record["finished_at"] = max(now_us, waiting.created_at)
        if frame is not None:
            add_metadata(record, frame.marks)
        yield NodeExecuted(record)
        if execution_id not in unsent and (plan is None or (plan.container is None and plan.pause is None)):
            tasks.append(execution_id)
            if plan is None or plan.type == "tool":
                tools.append(execution_id)
    if tasks:
        yield TasksCancelled(cancellation_record(state, tasks, now_us), tuple(tools))
