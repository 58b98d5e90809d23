"""Whether what an event has come to is right. Pure: its kind is held against history and receiver."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bench.chaos.calls import Call
from bench.chaos.events import Event
from bench.chaos.history import Execution, Run
from bench.chaos.kinds import CALLING, End, Plan, failed_charge
from bench.chaos.receiver import Verdict
from schemas.ids import retried_run_id

Fault = tuple[str, str]
"""A kind of fault, and what it was found at."""

FAULTS = {
    "missing": "missing",
    "doubled": "doubled",
    "stuck": "stuck",
    "wrong_end": "with a wrong end",
    "wrong_nodes": "with wrong node executions",
    "wrong_log": "with a wrong trigger log",
    "unperformed": "side effects that never happened",
    "unexplained": "calls without a node execution",
    "shared_key": "keys of several effects",
}
"""Kind -> what the line of counts calls it.

missing      acknowledged, and has no run
doubled      has a run that is neither the first nor one that goes on with it
stuck        has a run, or an execution of a run that has ended, which has not ended
wrong_nodes  executions are missing, doubled, or not as they should have ended
unperformed  a call that succeeded, of which the receiver does not know
unexplained  a call under a key that is no execution of that node of that event
"""

_LOG_STATUS = {End.GOOD: "SUCCESS", End.FAILED: "FAILED", End.STOPPED: "STOPPED"}
_MOST_RETRIES = 3
_TROUBLED = ("retry", "exception")


def judge(event: Event, runs: Sequence[Run], calls: Sequence[Call], *, acknowledged: bool) -> Iterator[Fault]:
    """Everything that is wrong with it. `calls` are those that name the event.

    An event that was never acknowledged may have come to nothing; if to anything, then to the right thing.
    """
    if not runs:
        if acknowledged:
            yield "missing", f"{event.id} ({event.kind.name})"
    elif (ordered := _in_order(runs)) is None:
        yield "doubled", f"{event.id}: runs {', '.join(run.id for run in runs)}"
    else:
        yield from _judge_runs(event, ordered)
    yield from _judge_calls(event, runs, calls)


def _in_order(runs: Sequence[Run]) -> list[Run] | None:
    """The first run and what the trigger or somebody has made of it; None where there are others."""
    by_id = {run.id: run for run in runs}
    resumed = {run.resumed_from: run for run in runs if run.resumed_from}
    if len(by_id) != len(runs):
        return None
    for first in runs:
        ordered = [first]
        while again := resumed.get(ordered[-1].id) or by_id.get(retried_run_id(first.id, len(ordered))):
            ordered.append(again)
        if len(ordered) == len(runs):
            return ordered
    return None


def _judge_runs(event: Event, runs: Sequence[Run]) -> Iterator[Fault]:
    least, most = (2, 1 + _MOST_RETRIES) if event.kind.fails_first else (1, 1)
    if not least <= len(runs) <= most:
        kind = "doubled" if len(runs) > most else "wrong_end"
        yield kind, f"{event.id}: {len(runs)} runs, the last of them {runs[-1].id}"
    for run in runs:
        is_last = run is runs[-1]
        plan = event.kind.plan(event.inputs) if is_last else failed_charge()
        yield from _judge_run(run, plan, event)
        # A run that is started again stays under its log, one that is resumed has one of its own.
        told = [one for one in runs if one.log_id == run.log_id][-1]
        end = event.kind.plan(event.inputs).end if told is runs[-1] else End.FAILED
        if (run.log_status, run.log_run_id) != (_LOG_STATUS[end], told.id):
            named = f"is {run.log_status or 'absent'} and names run {run.log_run_id}"
            yield "wrong_log", f"{event.id}: the log of run {run.id} {named}"
        elif run.named_by != (told is run):
            yield "wrong_log", f"{event.id}: {run.named_by} logs name run {run.id}"


def _judge_run(run: Run, plan: Plan, event: Event) -> Iterator[Fault]:
    where = f"{event.id}: run {run.id}"
    if not run.has_ended:
        yield "stuck", f"{where} is {run.status}"
        return
    if stuck := [one for one in run.executions if not one.has_ended]:
        yield "stuck", f"{where} has ended, its node {stuck[0].node_id} is {stuck[0].status}"
    if run.status != (wanted := _status(run, plan)):
        yield "wrong_end", f"{where} is {run.status}, not {wanted}"
    elif wrong := next(_wrong_nodes(run, plan, event), None):
        yield "wrong_nodes", f"{where}: {wrong}"


def _status(run: Run, plan: Plan) -> str:
    if plan.end is not End.GOOD:
        return plan.end.upper()
    troubled = any(one.status in _TROUBLED for one in run.executions)
    return "PARTIAL_SUCCEEDED" if troubled else "SUCCEEDED"


def _wrong_nodes(run: Run, plan: Plan, event: Event) -> Iterator[str]:
    slots: dict[tuple[str, int], list[Execution]] = {}
    for execution in run.executions:
        slots.setdefault((execution.node_id, execution.round), []).append(execution)
    wanted = {(name, number) for name in plan.nodes for number in range(plan.rounds.get(name, 1))}
    for name, number in sorted(wanted - slots.keys()):
        yield f"node {name}, round {number}, was never executed"
    for name, number in sorted(slots.keys() - wanted):
        yield f"node {name}, round {number}, should not have been executed"
    for (name, number), attempts in sorted(slots.items()):
        if (name, number) in wanted and not _are_attempts(attempts, plan.nodes[name]):
            seen = ", ".join(f"{one.status} {one.attempt}" for one in attempts)
            yield f"node {name}, round {number}: {seen}"
    for early in (one for one in run.executions if one.node_id == "wait" and one.status == "succeeded"):
        if early.elapsed_s < event.inputs["seconds"]:
            yield f"node wait was over after {early.elapsed_s} s"


def _are_attempts(executions: Sequence[Execution], last_status: str) -> bool:
    """Whether they are numbered from 1 and `retry`, up to the last one, which has no number."""
    ordered = sorted(executions, key=lambda one: one.attempt or len(executions) + 1)
    *tried, last = ordered
    numbers = [one.attempt for one in tried]
    return (
        numbers == list(range(1, len(tried) + 1))
        and all(one.status == "retry" for one in tried)
        and (last.attempt, last.status) == (0, last_status)
    )


def _judge_calls(event: Event, runs: Iterable[Run], calls: Sequence[Call]) -> Iterator[Fault]:
    executions = {
        one.id: (run.event_id, one.node_id, one.round)
        for run in runs
        for one in run.executions
        if one.node_id in CALLING
    }
    for key in dict.fromkeys(call.key for call in calls if executions.get(call.key) != call.effect):
        call = next(call for call in calls if call.key == key)
        yield "unexplained", f"{event.id}: {key} called {call.node}, round {call.round}"
    done = {call.key for call in calls if call.answer == Verdict.OK}
    for run in runs:
        for one in run.executions:
            if one.node_id in CALLING and one.status == "succeeded" and one.id not in done:
                yield (
                    "unperformed",
                    f"{event.id}: {one.node_id}, round {one.round}, of run {run.id}: {one.id}",
                )


def shared_keys(calls: Iterable[Call]) -> Iterator[Fault]:
    """Keys under which more than one thing was asked for."""
    effects: dict[str, set[tuple[str, str, int]]] = {}
    for call in calls:
        effects.setdefault(call.key, set()).add(call.effect)
    for key, named in effects.items():
        if len(named) > 1:
            yield "shared_key", f"{key}: {sorted(named)}"


def by_event(calls: Iterable[Call]) -> Mapping[str, list[Call]]:
    """In the order in which they came."""
    found: dict[str, list[Call]] = {}
    for call in calls:
        found.setdefault(call.event_id, []).append(call)
    return found
