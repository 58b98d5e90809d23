"""What the first stage does with conditions, flow control and triggers that depend on others."""

from typing import Any

import orjson
import pytest

from schemas.ids import gate_key
from schemas.models import AppTrigger, FlowControl, RateLimit, Throttle
from streams.shell.stage import Decision
from tests.streams.test_router import CODEC, NOW_US, Bench, bench
from transport.definitions import FLOW_CONTROLS, TRIGGERS

__all__ = ["bench"]


def control(bench: Bench, **given: Any) -> None:
    bench.feed.definitions.apply(FLOW_CONTROLS, "flow", FlowControl(id="flow", **given))


def decide(bench: Bench) -> Decision:
    return bench.router.decide(bench.event(), bench.table, NOW_US / 1e6)


def gate_commands(decision: Decision) -> list[dict[str, Any]]:
    return [CODEC.decode("GateCommand", s.value) for s in decision.sends if s.topic == "gate.commands"]


def logs(decision: Decision) -> list[dict[str, Any]]:
    return [CODEC.decode("WorkflowTriggerLog", s.value) for s in decision.sends if s.topic == "trigger.logs"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("event.body.n == 1", None),
        ("event.body.n > 1", "the condition of the trigger does not hold: event.body.n > 1"),
        ("event.body.m > 1", "no such key 'm'"),
        ("[0][event.body.n] == 0", "cannot be evaluated: index out of bounds: 1"),
        ("5 / (event.body.n - 1) > 0", "cannot be evaluated: division by zero"),
        ("5 % (event.body.n - 1) > 0", "cannot be evaluated: modulo by zero"),
        ("event.body.n", "gives int, not true or false"),
    ],
)
def test_a_condition_keeps_events_out(bench: Bench, condition: str, reason: str | None) -> None:
    bench.feed.trigger(config={"webhook_id": "h" * 24, "condition": condition})
    commands, [log] = bench.decide(bench.event())
    assert len(commands) == (reason is None)
    assert (log["status"], reason or "") == ("PENDING" if reason is None else "STOPPED", reason or "")
    assert reason is None or reason in log["error"]


def test_an_event_goes_to_its_first_gate_with_those_behind_it(bench: Bench) -> None:
    control(bench, throttle=Throttle(limit=1, period_s=1),
            rate_limit=RateLimit(limit=5, period_s=60, key="'n' + string(event.body.n)"))  # fmt: skip
    decision = decide(bench)
    [told] = gate_commands(decision)
    assert told["gate_key"] == gate_key("flow", "rate_limit", "n1")
    gates = orjson.loads(told["gates"])
    assert [(one["kind"], one["key"]) for one in gates] == [("rate_limit", "n1"), ("throttle", "")]
    assert (told["start_topic"], told["issued_at"]) == ("run.commands", NOW_US)
    command = CODEC.decode("RunCommand", told["start"])
    [log] = logs(decision)
    assert command["workflow_run_id"] == told["start_key"] == log["workflow_run_id"]
    assert CODEC.decode("WorkflowTriggerLog", told["log"]) == log
    assert all(send.topic != "run.commands" for send in decision.sends)


def test_an_event_without_the_key_is_refused(bench: Bench) -> None:
    control(bench, rate_limit=RateLimit(limit=5, period_s=60, key="event.body.customer"))
    decision = decide(bench)
    assert gate_commands(decision) == []
    [log] = logs(decision)
    assert log["status"] == "STOPPED"
    assert "no such key 'customer'" in log["error"]


def test_a_paused_workflow_holds_or_ignores(bench: Bench) -> None:
    control(bench, paused="hold")
    [told] = gate_commands(decide(bench))
    assert told["gate_key"] == "flow:hold:"
    bench = Bench()
    bench.feed.workflow("2026-01-01 00:00:00.000000")
    bench.feed.trigger()
    control(bench, paused="ignore")
    [log] = logs(decide(bench))
    assert (log["status"], log["error"]) == ("STOPPED", "the workflow is paused")


def test_a_start_by_hand_meets_no_gate(bench: Bench) -> None:
    control(bench, paused="hold")
    commands, _ = bench.decide(bench.event(trigger_type="MANUAL", index_key="flow"))
    assert len(commands) == 1


def dependent(bench: Bench, **needed: Any) -> None:
    config = {"webhook_id": "d" * 24, "depends_on": {"triggers": ["trigger"], "window_s": 60, **needed}}
    trigger = AppTrigger(id="dependent", app_id="app", workflow_id="other", type="WEBHOOK", config=config)
    bench.feed.definitions.apply(TRIGGERS, trigger.key, trigger)


def test_those_that_depend_on_a_trigger_are_told_of_its_events(bench: Bench) -> None:
    dependent(bench, key="event.body.order", keys={"trigger": "event.body.n"})
    [told] = gate_commands(decide(bench))
    assert (told["kind"], told["workflow_id"]) == ("NOTE", "other")
    assert told["gate_key"] == gate_key("dependent", "depends", "1")
    assert orjson.loads(told["payload"]) == {"trigger_id": "trigger", "window_s": 60}
    bench.feed.definitions.apply(TRIGGERS, "dependent", None)
    assert gate_commands(bench.router.decide(bench.event("d2"), bench.table, NOW_US / 1e6)) == []


def test_events_that_start_nothing_are_told_to_nobody(bench: Bench) -> None:
    dependent(bench)
    assert len(gate_commands(decide(bench))) == 1
    duplicate = bench.router.decide(bench.event(), bench.table, NOW_US / 1e6)
    assert len(gate_commands(duplicate)) == 1, "not yet kept"
    bench.decide(bench.event())
    again = bench.router.decide(bench.event(), bench.table, NOW_US / 1e6)
    assert gate_commands(again) == []


def test_an_event_for_a_trigger_that_depends_waits_at_its_gate(bench: Bench) -> None:
    config = {"webhook_id": "h" * 24, "depends_on": {"triggers": ["a", "b"], "window_s": 60, "mode": "any"}}
    bench.feed.trigger(config=config)
    [told] = gate_commands(decide(bench))
    [gate] = orjson.loads(told["gates"])
    assert told["gate_key"] == "trigger:depends:"
    assert gate["config"] == {"triggers": ["a", "b"], "mode": "any", "window_s": 60}
