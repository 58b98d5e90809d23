"""Further attempts: when they begin, what is recorded of each, and whose results count."""

from typing import Any

import orjson

from schemas.ids import node_execution_id
from streams.engine.advance import due_us
from streams.engine.commands import NodeResult, Timer
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import DEFAULTS
from streams.engine.pure import execute_pure, is_pure
from tests.graphs import Json, code, end, field, graph, iteration, start, template
from tests.streams.engine.harness import NOW, Run


def trying(retries: int = 2, interval_ms: int = 500, **more: Any) -> Json:
    """A task that is tried several times."""
    task = code("c", x=["start", "x"])
    task["data"]["retry_config"] = {
        "retry_enabled": True, "max_retries": retries, "retry_interval": interval_ms,
    }  # fmt: skip
    task["data"].update(more)
    return task


def line(task: Json) -> Json:
    return graph([start(field("x")), task, end(out=["c", "result"])], ("start", "c"), ("c", "end"))


def broken(run: Run) -> None:
    """The executor fails with the latest task, at the time at which it got it."""
    run.now_us = NOW
    run.break_(run.records(TaskScheduled)[-1])
    run.now_us = NOW


def test_each_attempt_has_a_record_and_a_task_of_its_own() -> None:
    run = Run(line(trying())).start({"x": "1"})
    broken(run)
    assert due_us(run.state, DEFAULTS) == NOW + 500_000  # type: ignore[arg-type]
    run.now_us = NOW + 500_000
    run.tell(Timer("t"))
    first, second = run.records(TaskScheduled)
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert second["node_execution_id"] == node_execution_id("run", "c", attempt=2)
    assert second["inputs"] == '{"x":"1"}'
    run.succeed(second, result="good")
    told = [(r["id"], r["status"], r["revision"], r["index"]) for r in run.records(NodeExecuted)[1:-1]]
    assert told == [
        (first["node_execution_id"], "running", 1, 2), (first["node_execution_id"], "retry", 2, 2),
        (second["node_execution_id"], "running", 1, 2), (second["node_execution_id"], "succeeded", 2, 2),
    ]  # fmt: skip
    failed = run.records(NodeExecuted)[2]
    assert (failed["error"], orjson.loads(failed["execution_metadata"])) == ("it broke", {"retry_index": 1})
    assert orjson.loads(run.run["outputs"]) == {"out": "good"}
    # Like Dify, which counts every failure.
    assert (run.run["status"], run.run["exceptions_count"], run.run["total_steps"]) == (
        "PARTIAL_SUCCEEDED",
        1,
        3,
    )


def test_a_timer_that_comes_early_does_nothing() -> None:
    run = Run(line(trying())).start()
    broken(run)
    assert run.tell(Timer("t")).effects == ()


def test_results_of_earlier_attempts_are_ignored() -> None:
    run = Run(line(trying())).start()
    broken(run)
    for attempt in (1, 2):  # the second has not begun
        execution_id = node_execution_id("run", "c", attempt=attempt)
        assert run.tell(NodeResult("late", execution_id, "succeeded", {"result": 1})).effects == ()
    run.now_us = NOW + 500_000
    run.tell(Timer("t"))
    assert run.tell(NodeResult("late", node_execution_id("run", "c"), "succeeded")).effects == ()


def test_after_the_last_attempt_the_error_strategy_counts() -> None:
    run = Run(line(trying(1, 0, error_strategy="default-value",
                          default_value=[{"key": "result", "value": "none"}]))).start()  # fmt: skip
    broken(run)
    assert [t["attempt"] for t in run.records(TaskScheduled)] == [1, 2]  # at once, without a timer
    assert run.state is not None
    assert run.state.alarms == ()
    broken(run)
    assert [r["status"] for r in run.records(NodeExecuted) if r["node_id"] == "c"] == [
        "running", "retry", "running", "exception",
    ]  # fmt: skip
    assert (run.run["status"], run.run["exceptions_count"]) == ("PARTIAL_SUCCEEDED", 2)
    assert orjson.loads(run.run["outputs"]) == {"out": "none"}


def test_without_one_the_run_fails() -> None:
    run = Run(line(trying(1, 0))).start()
    broken(run)
    broken(run)
    assert (run.run["status"], run.node("c")["status"]) == ("FAILED", "failed")


def test_a_pure_node_is_tried_once() -> None:
    task = template("c", "{% for %}")
    task = template("c", "{{ 1 // 0 }}")
    task["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 3, "retry_interval": 100}
    run = Run(line(task)).start()
    assert is_pure("template-transform")
    assert execute_pure("template-transform", task["data"], {}).status == "failed"
    assert (run.run["status"], [r["status"] for r in run.records(NodeExecuted)][-1]) == ("FAILED", "failed")


def test_what_waits_for_its_time_is_not_recorded_when_the_run_ends() -> None:
    run = Run(line(trying())).start()
    broken(run)
    run.cancel()
    assert run.run["status"] == "STOPPED"
    assert [r["status"] for r in run.records(NodeExecuted)][-1] == "retry"


def test_the_time_of_the_run_comes_before_that_of_an_attempt() -> None:
    run = Run(line(trying(1, 3_000_000))).start()
    broken(run)
    assert due_us(run.state, DEFAULTS) == NOW + 1_200_000_000  # type: ignore[arg-type]
    run.now_us = NOW + 1_200_000_000
    run.tell(Timer("t"))
    assert run.run["status"] == "FAILED"


def test_attempts_of_several_rounds_begin_in_the_order_of_their_times() -> None:
    task = trying()
    task["data"]["variables"] = [{"variable": "x", "value_selector": ["it", "item"]}]
    nodes = graph(
        [start(field("x", "json_object")),
         *iteration("it", ["start", "x", "list"], ["c", "result"], task, is_parallel=True),
         end(out=["it", "output"])],
        ("start", "it"), ("itstart", "c"), ("it", "end"),
    )  # fmt: skip
    run = Run(nodes, split_bytes=0).start({"x": {"list": [1, 2]}})
    first, second = run.records(TaskScheduled)
    run.now_us = NOW
    run.break_(second)
    run.break_(first)  # a second later
    run.now_us = NOW + 500_000
    run.tell(Timer("t"))
    assert orjson.loads(run.records(TaskScheduled)[-1]["inputs"]) == {"x": 2}
    run.succeed(run.records(TaskScheduled)[-1], result="two")
    run.now_us = NOW + 1_500_000
    run.tell(Timer("t"))
    assert orjson.loads(run.node("c")["execution_metadata"])["iteration_index"] == 0
    run.succeed(run.records(TaskScheduled)[-1], result="one")
    assert orjson.loads(run.run["outputs"]) == {"out": ["one", "two"]}
