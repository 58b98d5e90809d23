"""Nodes that wait for a moment: when the run is paused, and what lets it go on."""

from typing import Any

import orjson
import pytest

from streams.engine.advance import Advanced, due_us
from streams.engine.commands import Resume, Timer
from streams.engine.effects import NodeExecuted
from streams.engine.options import Options
from tests.graphs import Json, code, edge, end, field, graph, iteration, loop, node, start
from tests.streams.engine.harness import LOG, NOW, Run, compiled

US = 1_000_000
DAY_US = 86_400 * US


def wait(node_id: str = "w", **data: Any) -> Json:
    return node(node_id, "wait", **({"duration": 1, "duration_unit": "day"} | data))


def waiting(**data: Any) -> Json:
    """Between a start with `when` and an end."""
    made = wait(**data) if "until" not in data else node("w", "wait", **data)
    ending = end(early=["w", "resumed_early"], at=["w", "resume_at"])
    return graph(
        [start(field("when", "json_object"), field("who")), made, ending], ("start", "w"), ("w", "end")
    )


def given(value: Any) -> Json:
    return {"when": {"value": value}, "who": "Ada"}


def resume(run: Run, interaction_id: str = "i", **more: Any) -> Advanced:
    return run.tell(Resume("c", interaction_id, **more))


def fire(run: Run, at_us: int) -> Advanced:
    run.now_us = at_us
    return run.tell(Timer("t"))


def pause_of(run: Run) -> Json:
    pause: Json = orjson.loads(run.node("w")["execution_metadata"])["pause"]
    return pause


def outputs(run: Run) -> Json:
    found: Json = orjson.loads(run.run["outputs"])
    return found


def test_the_run_is_paused_and_says_until_when_and_why() -> None:
    texts = {"message": "before mail to {{#start.who#}}", "reason": "quota of {{#start.who#}}"}
    run = Run(waiting(**texts)).start(given(0), trigger_log=LOG)
    assert (run.run["status"], run.node("w")["status"]) == ("PAUSED", "paused")
    assert orjson.loads(run.node("w")["inputs"]) == {"duration": "1", "duration_unit": "day"}
    assert pause_of(run) == {
        "id": run.node("w")["id"],
        "pause_expires_at": (NOW + DAY_US) // US,
        "pause_metadata": {
            "type": "scheduling_pause",
            "node_id": "w",
            "node_title": "W",
            "message": "before mail to Ada",
            "resume_at": (NOW + DAY_US) // US,
            "reason": "quota of Ada",
        },
    }


def test_it_goes_on_when_its_time_has_come_and_not_before() -> None:
    run = Run(waiting(), Options(max_run_s=60)).start(given(0))
    assert run.state is not None
    assert due_us(run.state) == NOW + DAY_US
    assert not fire(run, NOW + DAY_US - 1).effects
    fire(run, NOW + DAY_US)
    assert run.run["status"] == "SUCCEEDED"
    assert outputs(run) == {"early": False, "at": (NOW + DAY_US) // US}
    record = run.node("w")
    assert (record["status"], record["revision"], record["elapsed_time"]) == ("succeeded", 2, 86_400.0)
    assert orjson.loads(record["inputs"]) == {"duration": "1", "duration_unit": "day"}
    assert not fire(run, NOW + 2 * DAY_US).effects


@pytest.mark.parametrize(
    ("data", "value", "after_us"),
    [
        ({"duration": "0.25", "duration_unit": "second"}, 0, US // 4),
        ({"duration": ["start", "when", "value"], "duration_unit": "minute"}, 2.5, 150 * US),
        ({"duration": "{{#start.when.value#}}0", "duration_unit": "hours"}, 1, 36_000 * US),
        ({"until": ["start", "when", "value"]}, NOW // US + 7, 7 * US),
        ({"until": "{{#start.when.value#}}:20Z"}, "2023-11-14T22:14", 60 * US),
        ({"until": ["start", "when", "value"], "timezone": "Asia/Tokyo"}, "2023-11-15T07:14:20", 60 * US),
    ],
)
def test_the_time_may_come_from_variables(data: Json, value: Any, after_us: int) -> None:
    run = Run(waiting(**data)).start(given(value))
    assert run.state is not None
    assert due_us(run.state) == NOW + after_us


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"duration": ["start", "when", "value"]}, 0),
        ({"until": ["start", "when", "value"]}, "2020-01-01"),
        ({"until": ["start", "when", "value"]}, -5),
        ({"until": NOW // US}, 0),
    ],
)
def test_a_time_that_is_over_lets_it_go_on_in_the_same_hop(data: Json, value: Any) -> None:
    run = Run(waiting(**data)).start(given(value))
    assert run.run["status"] == "SUCCEEDED"
    assert outputs(run)["early"] is False
    (record,) = [record for record in run.records(NodeExecuted) if record["node_id"] == "w"]
    assert (record["status"], record["revision"], record["elapsed_time"]) == ("succeeded", 1, 0.0)
    assert record["finished_at"] == record["created_at"]
    assert record["execution_metadata"] is None


@pytest.mark.parametrize(
    ("data", "value", "why"),
    [
        ({}, -1, "-1 seconds is less than nothing"),
        ({}, "NaN", "'NaN' is no number of seconds"),
        ({}, None, "None is no number of seconds"),
        ({}, 101, "a wait of 101 s is too long: at most 100 s are allowed"),
        ({}, 1e308, "s is too long"),
        ({"until": ["start", "when", "value"]}, NOW // US + 101, "a wait of 101 s is too long"),
        ({"until": ["start", "when", "value"]}, NOW // 1000, "no moment: give seconds since 1970"),
    ],
)
def test_what_is_no_time_fails_the_node(data: Json, value: Any, why: str) -> None:
    asked = {"duration": ["start", "when", "value"], "duration_unit": "second"}
    run = Run(waiting(**(data or asked)), Options(max_wait_s=100)).start(given(value))
    assert (run.run["status"], run.node("w")["status"]) == ("FAILED", "failed")
    assert why in run.run["error"]


def test_a_wrong_time_may_be_handled_like_any_failure() -> None:
    drawn = waiting(duration="{{#start.who#}}", error_strategy="fail-branch")
    drawn["nodes"].append(end("bad", kind=["w", "error_type"]))
    drawn["edges"][1] = edge("w", "end", "success-branch")
    drawn["edges"].append(edge("w", "bad", "fail-branch"))
    run = Run(drawn).start(given(0))
    assert run.run["status"] == "PARTIAL_SUCCEEDED"
    assert outputs(run) == {"kind": "WaitError"}


def test_it_may_be_told_to_go_on_early_once() -> None:
    run = Run(waiting()).start(given(0))
    resume(run, "click", by="bob")
    assert run.run["status"] == "SUCCEEDED"
    assert outputs(run) == {"early": True, "at": (NOW + DAY_US) // US}
    assert (pause_of(run)["answered_by"], pause_of(run)["interaction_id"]) == ("bob", "click")
    assert not resume(run, "click").effects
    assert not fire(run, NOW + DAY_US).effects


def test_the_same_word_twice_ends_one_wait() -> None:
    both = graph([start(), wait(), wait("again"), end()], ("start", "w"), ("w", "again"), ("again", "end"))
    run = Run(both).start()
    resume(run, "click")
    assert not resume(run, "click").effects
    assert run.run["status"] == "PAUSED"
    resume(run, "another")
    assert run.run["status"] == "SUCCEEDED"


@pytest.mark.parametrize("more", [{"inputs": {"x": 1}}, {"action": "yes"}, {"node_id": "start"}])
def test_an_answer_that_nobody_asked_for_changes_nothing(more: Json) -> None:
    run = Run(waiting()).start(given(0))
    assert not resume(run, **more).effects
    assert run.run["status"] == "PAUSED"


def test_a_run_that_waits_can_be_stopped() -> None:
    run = Run(waiting()).start(given(0))
    run.cancel()
    assert (run.run["status"], run.node("w")["status"]) == ("STOPPED", "stopped")
    assert not fire(run, NOW + DAY_US).effects


def test_the_time_of_the_run_goes_on_beside_a_branch_that_works_only() -> None:
    options = Options(max_run_s=60)
    drawn = graph(
        [start(), wait(), code("work"), code("after")], ("start", "w"), ("start", "work"), ("w", "after")
    )
    run = Run(drawn, options).start()
    assert run.run["status"] == "RUNNING"
    assert run.state is not None
    assert due_us(run.state, options) == NOW + 60 * US
    run.now_us = NOW + 10 * US
    run.answer("work", result="x")
    assert run.run["status"] == "PAUSED"
    fire(run, NOW + DAY_US)
    assert run.run["status"] == "RUNNING"
    assert run.task("after")["deadline_at"] == NOW + DAY_US + 50 * US


def test_several_waits_end_one_after_the_other() -> None:
    drawn = graph([start(), wait("a", duration=1), wait("b", duration=2)], ("start", "a"), ("start", "b"))
    run = Run(drawn).start()
    fire(run, NOW + DAY_US)
    assert (run.node("a")["status"], run.node("b")["status"], run.run["status"]) == (
        "succeeded",
        "paused",
        "PAUSED",
    )
    fire(run, NOW + 2 * DAY_US)
    assert run.run["status"] == "SUCCEEDED"


@pytest.mark.parametrize("is_parallel", [False, True])
def test_each_round_of_an_iteration_waits_by_itself(is_parallel: bool) -> None:
    inside = wait(duration=["each", "item"])
    each = iteration("each", ["make", "result"], ["w", "resume_at"], inside, is_parallel=is_parallel)
    drawn = graph(
        [start(), code("make"), *each, end(out=["each", "output"])],
        ("start", "make"),
        ("make", "each"),
        ("eachstart", "w"),
        ("each", "end"),
    )
    run = Run(drawn).start()
    run.answer("make", result=[2, 0, 1])
    begun = run.now_us - US
    while run.run["status"] == "PAUSED":
        assert run.state is not None
        due = due_us(run.state)
        assert due is not None
        fire(run, due)
    days = [2, 0, 1] if is_parallel else [2, 2, 3]
    assert outputs(run)["out"] == [(begun + day * DAY_US) // US for day in days]


def test_a_loop_that_polls_waits_in_each_round() -> None:
    around = loop("again", 3, wait(duration=10, duration_unit="second"))
    drawn = graph([start(), *around, end()], ("start", "again"), ("againstart", "w"), ("again", "end"))
    run = Run(drawn, Options(max_run_s=5)).start()
    for round_number in range(1, 4):
        assert run.run["status"] == "PAUSED"
        fire(run, NOW + round_number * 10 * US)
    assert run.run["status"] == "SUCCEEDED"


def test_a_node_that_was_run_alone_waits_too() -> None:
    definition = waiting(duration="{{#start.when#}}", duration_unit="hour")
    run = Run(compiled(definition, only="w")).start(single_step="w", values={"start": {"when": 2}})
    assert run.node("w")["status"] == "paused"
    assert pause_of(run)["workflow_run_id"] == "run"
    fire(run, NOW + 7200 * US)
    assert run.node("w")["status"] == "succeeded"
