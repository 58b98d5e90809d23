"""Attempts that take too long: what the executor is told, and what becomes of those never heard of again."""

from typing import Any

import orjson

from schemas.ids import node_execution_id
from streams.engine.advance import due_us
from streams.engine.commands import NodeResult, Timer
from streams.engine.effects import TasksCancelled, TaskScheduled
from streams.engine.options import Options
from tests.graphs import Json, code, end, field, graph, start
from tests.streams.engine.harness import NOW, Run

S = 1_000_000


def line(**data: Any) -> Json:
    task = code("c", x=["start", "x"])
    task["data"].update(data)
    return graph([start(field("x")), task, end(out=["c", "result"])], ("start", "c"), ("c", "end"))


def later(run: Run, seconds: float) -> None:
    """The row of the run is due, so many seconds after it began."""
    run.now_us = NOW + round(seconds * S)
    run.tell(Timer("t"))


def test_an_executor_is_told_how_long_it_may_take() -> None:
    task = Run(line()).start().task("c")
    assert (task["timeout_ms"], task["deadline_at"]) == (1_200_000, NOW + 1200 * S)
    task = Run(line(), Options(max_node_s=90)).start().task("c")
    assert (task["timeout_ms"], task["deadline_at"]) == (90_000, NOW + 390 * S)
    task = Run(line(attempt_timeout_s=2.5), Options(node_queue_s=60)).start().task("c")
    assert (task["timeout_ms"], task["deadline_at"]) == (2500, NOW + round(62.5 * S))


def test_a_node_that_is_never_heard_of_again_fails_and_its_executor_is_called_back() -> None:
    run = Run(line(attempt_timeout_s=20)).start()
    assert due_us(run.state, run.options) == NOW + 320 * S  # type: ignore[arg-type]
    later(run, 319)
    assert run.node("c")["status"] == "running"
    later(run, 320)
    assert (run.run["status"], run.node("c")["status"]) == ("FAILED", "failed")
    assert "no result after 320 s" in run.run["error"]
    (told,) = run.records(TasksCancelled)
    assert told["node_execution_ids"] == [run.task("c")["node_execution_id"]]


def test_it_is_tried_again_where_it_is_to_be_and_the_late_result_does_not_count() -> None:
    retry = {"retry_enabled": True, "max_retries": 1, "retry_interval": 1000, "retry_on": ["TimedOut"]}
    run = Run(line(attempt_timeout_s=20, retry_config=retry)).start()
    later(run, 320)
    late = NodeResult("r", node_execution_id("run", "c"), "succeeded", {"result": "late"})
    assert run.tell(late).effects == ()
    later(run, 321)
    first, second = run.records(TaskScheduled)
    assert second["node_execution_id"] == node_execution_id("run", "c", attempt=2)
    assert run.tell(late).effects == ()
    run.succeed(second, result="good")
    assert orjson.loads(run.run["outputs"]) == {"out": "good"}
    assert first["attempt"] == 1


def test_an_error_branch_sees_that_it_was_the_time() -> None:
    run = Run(line(attempt_timeout_s=1, error_strategy="default-value",
                   default_value=[{"key": "result", "value": "none"}])).start()  # fmt: skip
    later(run, 301)
    assert orjson.loads(run.node("c")["outputs"])["error_type"] == "TimedOut"
    assert orjson.loads(run.run["outputs"]) == {"out": "none"}


def test_a_result_in_time_leaves_nothing_to_wait_for() -> None:
    other = code("d")
    nodes = line(attempt_timeout_s=20)
    nodes["nodes"].append(other)
    nodes["edges"] += [{"source": "start", "target": "d", "sourceHandle": "source"}]
    run = Run(nodes).start()
    run.answer("c", result="x")
    assert run.state is not None
    assert run.state.alarms == ()
    assert due_us(run.state, run.options) == NOW + 1200 * S


def test_of_several_that_are_late_at_once_the_first_fails_the_run() -> None:
    tasks = [code(name) for name in ("a", "b")]
    for task in tasks:
        task["data"]["attempt_timeout_s"] = 1
    run = Run(graph([start(), *tasks, end()], ("start", "a"), ("start", "b"), ("a", "end"), ("b", "end")))
    run.start()
    later(run, 400)
    assert run.run["status"] == "FAILED"
    told = [one for record in run.records(TasksCancelled) for one in record["node_execution_ids"]]
    assert sorted(told) == sorted(task["node_execution_id"] for task in run.records(TaskScheduled))
    assert {run.node(name)["status"] for name in ("a", "b")} == {"failed", "stopped"}


def test_without_limits_of_its_own_a_node_costs_its_run_nothing() -> None:
    run = Run(line()).start()
    assert run.state is not None
    assert run.state.alarms == ()
