"""The chaos audit sees each kind of fault: one that is blind would find every run clean."""

import itertools
from dataclasses import replace

import pytest

from bench.chaos.audit import WORDS, missed
from bench.chaos.calls import Call
from bench.chaos.events import Event, events
from bench.chaos.history import Execution, Run, Tick
from bench.chaos.installation import Schedule
from bench.chaos.judge import Fault, judge, shared_keys
from bench.chaos.kinds import CALLING, KINDS, Deed, End, failed_charge
from bench.findings import Findings
from schemas.ids import retried_run_id

LOG = {End.GOOD: "SUCCESS", End.FAILED: "FAILED", End.STOPPED: "STOPPED"}


def event_of(kind: str) -> Event:
    return next(event for event in events(1) if event.kind.name == kind)


def run_of(event: Event, run_id: str = "r-1", *, fails: bool = False) -> Run:
    """As it should be."""
    plan = failed_charge() if fails else event.kind.plan(event.inputs)
    last = event.kind.plan(event.inputs)
    executions = tuple(
        Execution(name, status, number, 0, f"{run_id}/{name}/{number}", True, 3600.0)
        for name, status in plan.nodes.items()
        for number in range(plan.rounds.get(name, 1))
    )
    troubled = any(one.status == "exception" for one in executions)
    good = "PARTIAL_SUCCEEDED" if troubled else "SUCCEEDED"
    status = good if plan.end is End.GOOD else plan.end.upper()
    return Run(run_id, event.id, status, True, executions, LOG[last.end], run_id, log_id="l-1")


def calls_of(event: Event, *runs: Run) -> list[Call]:
    return [
        Call(0.0, one.id, event.id, one.node_id, one.round, 1, "ok" if one.status == "succeeded" else "error")
        for run in runs
        for one in run.executions
        if one.node_id in CALLING
    ]


def history_of(event: Event) -> list[Run]:
    if not event.kind.fails_first:
        return [run_of(event)]
    first = run_of(event, fails=True)
    if event.kind.deed is Deed.RESUME:
        resumed = replace(run_of(event, "r-2"), log_id="l-2", resumed_from=first.id)
        return [resumed, replace(first, log_status="FAILED")]
    again = run_of(event, retried_run_id("r-1", 1))
    return [again, replace(first, log_run_id=again.id, named_by=0)]


def faults(event: Event, *runs: Run, calls: list[Call] | None = None, acknowledged: bool = True) -> list[str]:
    known = calls_of(event, *runs) if calls is None else calls
    return [kind for kind, _ in judge(event, runs, known, acknowledged=acknowledged)]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_right_is_clean(kind: str) -> None:
    event = event_of(kind)
    assert not faults(event, *history_of(event))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_missing_if_it_was_acknowledged(kind: str) -> None:
    assert faults(event_of(kind)) == ["missing"]
    assert not faults(event_of(kind), acknowledged=False)


@pytest.mark.parametrize("kind", KINDS)
def test_another_run_is_one_too_many(kind: str) -> None:
    event = event_of(kind)
    assert faults(event, *history_of(event), run_of(event, "r-9")) == ["doubled"]
    assert faults(event, *history_of(event), history_of(event)[0]) == ["doubled"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_goes_on_is_stuck(kind: str) -> None:
    event = event_of(kind)
    last, *others = history_of(event)
    assert faults(event, replace(last, status="RUNNING", has_ended=False), *others) == ["stuck"]
    open_node = replace(
        last, executions=(*last.executions[:-1], last.executions[-1]._replace(has_ended=False))
    )
    assert faults(event, open_node, *others) == ["stuck"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_node_must_have_come_to_its_end_once(kind: str) -> None:
    event = event_of(kind)
    last, *others = history_of(event)
    calls = calls_of(event, last, *others)
    for number, execution in enumerate(last.executions):
        rest = last.executions[:number] + last.executions[number + 1 :]
        for wrong in (
            rest,
            (*last.executions, execution),
            (*rest, execution._replace(status="paused")),
            (*rest, execution._replace(node_id="unheard")),
            (*rest, execution._replace(round=99)),
        ):
            run = replace(last, executions=wrong)
            # Without the attempt that failed, the end is the one of a run that had no trouble.
            assert {"wrong_nodes", "wrong_end"} & set(faults(event, run, *others, calls=calls)), wrong


def test_a_run_has_one_right_end() -> None:
    event = event_of("cancel-delay")
    [run] = history_of(event)
    assert faults(event, replace(run, status="SUCCEEDED")) == ["wrong_end"]
    charge = event_of("charge-again")
    again, first = history_of(charge)
    alone = replace(first, log_run_id=first.id, named_by=1)
    assert faults(charge, alone) == ["wrong_end"] * 2
    assert faults(charge, again, replace(first, status="STOPPED")) == ["wrong_end"]


def test_attempts_are_numbered_and_the_run_tells_of_them() -> None:
    event = event_of("notify-flaky")
    [run] = history_of(event)
    start, notify, end = run.executions
    tried = [notify._replace(status="retry", attempt=number, id=f"k-{number}") for number in (1, 2)]
    right = replace(run, status="PARTIAL_SUCCEEDED", executions=(start, notify, *tried, end))
    assert not faults(event, right)
    assert faults(event, replace(right, status="SUCCEEDED")) == ["wrong_end"]
    assert faults(event, replace(right, executions=(start, notify, tried[1], end))) == ["wrong_nodes"]
    assert faults(event, replace(right, executions=(start, notify, *tried, tried[0], end))) == ["wrong_nodes"]


def test_a_wait_must_not_be_over_too_early() -> None:
    event = event_of("delay")
    [run] = history_of(event)
    hasty = tuple(one._replace(elapsed_s=0.5) for one in run.executions)
    assert faults(event, replace(run, executions=hasty)) == ["wrong_nodes"]


def test_the_log_tells_of_the_last_run() -> None:
    event = event_of("charge-again")
    again, first = history_of(event)
    assert faults(event, replace(again, log_status="FAILED"), first) == ["wrong_log"]
    assert faults(event, again, replace(first, log_run_id=first.id)) == ["wrong_log"]
    assert faults(event, replace(again, named_by=2), first) == ["wrong_log"]
    assert faults(event, again, replace(first, named_by=1)) == ["wrong_log"]
    event = event_of("resume-charge")
    resumed, first = history_of(event)
    assert faults(event, replace(resumed, log_status="FAILED"), first) == ["wrong_log"]
    assert faults(event, resumed, replace(first, log_status="SUCCESS")) == ["wrong_log"]
    assert faults(event, replace(resumed, resumed_from="r-7"), first) == ["doubled"]


@pytest.mark.parametrize("kind", ["collect", "fanout-calm", "approve", "charge-again"])
def test_each_call_that_succeeded_must_have_reached_the_receiver(kind: str) -> None:
    event = event_of(kind)
    runs = history_of(event)
    calls = calls_of(event, *runs)
    for number, call in enumerate(calls):
        without = calls[:number] + calls[number + 1 :]
        refused = [*without, call._replace(answer="error")]
        expected = ["unperformed"] if call.answer == "ok" else []
        assert faults(event, *runs, calls=without) == expected
        assert faults(event, *runs, calls=refused) == expected
        assert not faults(event, *runs, calls=[*calls, call])


def test_each_call_must_be_that_of_a_node_execution() -> None:
    event = event_of("reject")
    [run] = history_of(event)
    [call] = calls_of(event, run)
    for stray in (call._replace(key="k"), call._replace(node="refund"), call._replace(round=1)):
        assert faults(event, run, calls=[call, stray]) == ["unexplained"]
    assert faults(event, calls=[call], acknowledged=False) == ["unexplained"]


def test_two_effects_do_not_share_a_key() -> None:
    call = Call(0.0, "k-1", "e-1", "notify", 0, 1, "ok")
    others = [call._replace(key="k-2"), call._replace(event_id="e-2", key="k-3"), call]
    assert not list(shared_keys([call, *others]))
    for other in (call._replace(event_id="e-2"), call._replace(node="bill"), call._replace(round=1)):
        assert [kind for kind, _ in shared_keys([call, *others, other])] == ["shared_key"]


def test_times_of_a_schedule_fire_once_each_and_well() -> None:
    schedule = Schedule("s-1", 5, since=1_001.0, until=1_023.0)
    fired = [Tick("s-1", at_s, 1, 1) for at_s in (1_005, 1_010, 1_015, 1_020)]
    assert not list(missed(schedule, fired))

    def found(*ticks: Tick) -> list[Fault]:
        return list(missed(schedule, ticks))

    assert found(*fired[:2], fired[3]) == [("missed_times", "1015, every 5 s")]
    assert found(*fired[:3], fired[3]._replace(runs=0)) == [("missed_times", "1020, every 5 s")]
    assert found(*fired[1:], fired[0]._replace(runs=2, succeeded=2)) == [("doubled_times", "1005, every 5 s")]
    assert found(*fired[1:], fired[0]._replace(succeeded=0)) == [("failed_times", "1005, every 5 s")]


def test_the_last_line_says_the_counts() -> None:
    found = Findings(1_000, 20, WORDS)
    assert found.clean
    for number in itertools.islice(itertools.count(), 7):
        found.find("missing", f"e-{number}")
    found.add("dead_letters", 0)
    assert not found.clean
    assert found.examples == {"missing": ["e-0", "e-1", "e-2", "e-3", "e-4"]}
    assert str(found).startswith("1,000 events acknowledged and 20 repeats: 7 missing, 0 doubled, 0 stuck, ")
    with pytest.raises(AssertionError):
        found.find("misspelt", "e-1")
