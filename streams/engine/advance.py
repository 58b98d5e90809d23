"""The engine as one pure function: state and command in, state and effects out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.models import WorkflowType
from schemas.work_budget import CURRENT, Budget
from streams.engine.commands import Cancel, Command, NodeResult, Resume, Start, Timer
from streams.engine.definition import Definition
from streams.engine.effects import Effect
from streams.engine.hop import NOTHING, Hop
from streams.engine.options import DEFAULTS, Options
from streams.engine.pauses import find_pause
from streams.engine.pool import KEPT
from streams.engine.records import US, as_json
from streams.engine.state import DEFAULT_QUEUE, PAUSED, RunState


class Advanced(NamedTuple):
    """What a command came to."""

    state: RunState | None
    """The same object as before if nothing changed. None where there is no run and none is started."""
    effects: Sequence[Effect]


def advance(
    definition: Definition,
    state: RunState | None,
    command: Command,
    now_us: int,
    options: Options = DEFAULTS,
    brought: Mapping[str, Any] = NOTHING,
    arrived_us: int | None = None,
) -> Advanced:
    """What the run does next. `state` is None before Start.

    `arrived_us`: when the command came, if that was not now. By that it is judged whether it came in time, so
    that it makes no difference when it is looked at, or looked at again.

    Raises `NeedsValue` when a node looks at a value that is elsewhere: `brought`, by digest, is to have it
    then, or the `NodeFailure` that says why it cannot be had.

    A command that was already applied, one for a run that has ended and the result of an attempt that nobody
    waits for change nothing and have no effects. Deterministic but for `options.clock`; never blocks. Raises
    `TypeError` where values, put together, are nested too deep for JSON, see `give_up`, and nothing else that
    the definition, the inputs or the command could cause.
    """
    token = CURRENT.set(Budget(options.max_hop_work))
    try:
        if isinstance(command, Start):
            return Advanced(state, ()) if state else _start(definition, command, now_us, options)
        if state is None or state.ended or not _applies(state, command, now_us, options):
            return Advanced(state, ())
        return _go_on(definition, state, command, now_us, options, brought, arrived_us)
    finally:
        CURRENT.reset(token)


def give_up(
    definition: Definition,
    state: RunState | None,
    command: Command,
    reason: str,
    now_us: int,
    options: Options,
) -> Advanced:
    """The run fails, instead of what `advance` would do: that could not be kept, or nobody be told of it."""
    if isinstance(command, Start):
        hop = Hop(definition, _new_state(definition, command, now_us, options), options, now_us)
        hop.fail(reason)
        hop.begin({}, _system(definition, command), {})
    else:
        assert state is not None, "it has begun"
        hop = Hop(definition, state.copy(), options, now_us)
        hop.fail(reason)
    hop.settle()
    return Advanced(hop.state, hop.effects)


def due_us(state: RunState, options: Options = DEFAULTS) -> int | None:
    """When a Timer will do something: begin or end an attempt, end a pause or the run. None once that has."""
    if state.ended:
        return None
    due = [alarm.due_at for alarm in state.alarms[:1]] + [one.expires_at for one in state.pauses[:1]]
    return min(due if state.status == PAUSED else [*due, state.deadline_us(options.max_run_s)])


def _go_on(
    definition: Definition,
    state: RunState,
    command: Command,
    now_us: int,
    options: Options,
    brought: Mapping[str, Any],
    arrived_us: int | None,
) -> Advanced:
    is_late = state.status != PAUSED and now_us >= state.deadline_us(options.max_run_s)
    hop = Hop(definition, state.copy(), options, now_us, brought, arrived_us)
    if definition.graph_hash != state.graph_hash:
        hop.fail(
            f"graph {state.graph_hash} is gone: version {state.version} was changed while the run waited"
        )
    elif isinstance(command, NodeResult):
        waiting = state.waiting(command.node_execution_id)
        assert waiting is not None
        hop.resume(command, waiting)
    elif isinstance(command, Cancel):
        hop.stop(command.reason)
    elif isinstance(command, Resume):
        found = find_pause(state, command)
        assert found is not None
        hop.answer(found, command)
    elif not is_late:
        hop.wake()
    else:
        hop.fail(f"maximum execution time exceeded: {options.max_run_s} s")
    hop.settle()
    return Advanced(hop.state, hop.effects)


def _applies(state: RunState, command: Command, now_us: int, options: Options) -> bool:
    if isinstance(command, NodeResult):
        waiting = state.waiting(command.node_execution_id)
        return waiting is not None and waiting.revision > 0
    if isinstance(command, Resume):
        return find_pause(state, command) is not None
    due = due_us(state, options)
    return not isinstance(command, Timer) or (due is not None and now_us >= due)


def _start(definition: Definition, command: Start, now_us: int, options: Options) -> Advanced:
    if command.refused:
        return give_up(definition, None, command, command.refused, now_us, options)
    hop = Hop(definition, _new_state(definition, command, now_us, options), options, now_us)
    given = {**command.values, KEPT: command.kept} if command.kept else command.values
    hop.begin(command.inputs, _system(definition, command), given)
    hop.settle()
    return Advanced(hop.state, hop.effects)


def _new_state(definition: Definition, command: Start, now_us: int, options: Options) -> RunState:
    log = command.trigger_log
    user = command.system.get("user_id") or None
    state = RunState(
        run_id=command.run_id,
        tenant_id=command.tenant_id,
        app_id=command.app_id,
        workflow_id=command.workflow_id,
        version=command.version,
        graph_hash=definition.graph_hash,
        triggered_from=command.triggered_from,
        created_by_role=log["created_by_role"] if log else "account" if command.single_step else "end_user",
        created_by=log["created_by"] if log else user,
        event_at=log["created_at"] if log else command.issued_at,
        started_at=now_us,
        queue=log["queue_name"] if log and log.get("queue_name") else DEFAULT_QUEUE,
        single_step=command.single_step,
    )
    state.inputs = as_json(command.inputs)
    if log:
        state.trigger_log = log
    if command.caller:
        state.caller = command.caller
    if options.every_node_a_hop:
        state.tell_ends_only()
    return state


def _system(definition: Definition, command: Start) -> Mapping[str, Any]:
    """The variables of `sys`. Those of a chat have defaults, so that a condition on one never fails."""
    chat = {"query": "", "conversation_id": "", "dialogue_count": 1}
    # A start that is decided again is issued again; its event was accepted once.
    at_us = command.trigger_log["created_at"] if command.trigger_log else command.issued_at
    return {
        "user_id": "",
        "files": [],
        **(chat if definition.workflow_type == WorkflowType.CHAT else {}),
        **command.system,
        "app_id": command.app_id,
        "workflow_id": command.workflow_id,
        "workflow_run_id": command.run_id,
        "timestamp": at_us // US,
    }
