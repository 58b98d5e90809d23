"""The engine as one pure function: state and command in, state and effects out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schemas.models import WorkflowType
from streams.engine.commands import Cancel, Command, NodeResult, Start, Timer
from streams.engine.definition import Definition
from streams.engine.effects import Effect
from streams.engine.hop import Hop
from streams.engine.options import DEFAULTS, Options
from streams.engine.records import US, as_json
from streams.engine.state import RunState


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
) -> Advanced:
    """What the run does next. `state` is None before Start.

    A command that was already applied, one for a run that has ended and the result of an attempt that nobody
    waits for change nothing and have no effects. Deterministic but for `options.clock`; never blocks; raises
    nothing that the definition, the inputs or the command could cause.
    """
    if isinstance(command, Start):
        return Advanced(state, ()) if state else _start(definition, command, now_us, options)
    if state is None or state.ended or not _applies(state, command, now_us, options):
        return Advanced(state, ())
    hop = Hop(definition, state.copy(), options, now_us)
    if definition.graph_hash != state.graph_hash:
        hop.fail(
            f"graph {state.graph_hash} is gone: version {state.version} was changed while the run waited"
        )
    elif isinstance(command, NodeResult):
        hop.resume(command, state.waiting[command.node_execution_id])
    elif isinstance(command, Cancel):
        hop.stop(command.reason)
    else:
        hop.fail(f"maximum execution time exceeded: {options.max_run_s} s")
    hop.settle()
    return Advanced(hop.state, hop.effects)


def deadline_us(state: RunState, options: Options = DEFAULTS) -> int | None:
    """When a Timer will end the run; None for one that has ended."""
    return None if state.ended else state.started_at + options.max_run_s * US


def _applies(state: RunState, command: Command, now_us: int, options: Options) -> bool:
    if isinstance(command, NodeResult):
        return command.node_execution_id in state.waiting
    return not isinstance(command, Timer) or now_us >= state.started_at + options.max_run_s * US


def _start(definition: Definition, command: Start, now_us: int, options: Options) -> Advanced:
    hop = Hop(definition, _new_state(definition, command, now_us), options, now_us)
    hop.begin(command.inputs, _system(definition, command))
    hop.settle()
    return Advanced(hop.state, hop.effects)


def _new_state(definition: Definition, command: Start, now_us: int) -> RunState:
    log = command.trigger_log
    user = command.system.get("user_id") or None
    return RunState(
        run_id=command.run_id,
        tenant_id=command.tenant_id,
        app_id=command.app_id,
        workflow_id=command.workflow_id,
        version=command.version,
        graph_hash=definition.graph_hash,
        triggered_from=command.triggered_from,
        created_by_role=log["created_by_role"] if log else "end_user",
        created_by=log["created_by"] if log else user,
        event_at=log["created_at"] if log else command.issued_at,
        started_at=now_us,
        inputs=as_json(command.inputs),
        trigger_log=dict(log) if log else None,
    )


def _system(definition: Definition, command: Start) -> Mapping[str, Any]:
    """The variables of `sys`. Those of a chat have defaults, so that a condition on one never fails."""
    chat = {"query": "", "conversation_id": "", "dialogue_count": 1}
    return {
        "user_id": "",
        "files": [],
        **(chat if definition.workflow_type == WorkflowType.CHAT else {}),
        **command.system,
        "app_id": command.app_id,
        "workflow_id": command.workflow_id,
        "workflow_run_id": command.run_id,
        "timestamp": command.issued_at // US,
    }
