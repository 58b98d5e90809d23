"""Iterations: rounds one by one and side by side, their results, their failures, and what is recorded."""

from typing import Any

import orjson
import pytest

from schemas.ids import node_execution_id
from schemas.models import WorkflowType
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import Options
from tests.graphs import (
    Json,
    answer,
    code,
    end,
    field,
    graph,
    if_else,
    iteration,
    start,
    template,
)
from tests.graphs import case as branch
from tests.graphs import condition as where
from tests.streams.engine.harness import Run, compiled

ITEMS = field("items", "json_object")
ALL = ["start", "items", "list"]


def listing(items: Any) -> Json:
    """What the start node is given, whatever its type."""
    return {"items": {"list": items}}


def squares(**data: Any) -> Json:
    """An iteration of templates, between a start and an end."""
    inside = template("t", "{{ i }}:{{ x }}", i=["it", "index"], x=["it", "item"])
    return graph(
        [start(ITEMS), *iteration("it", ALL, ["t", "output"], inside, **data),
         end(out=["it", "output"])],
        ("start", "it"), ("itstart", "t"), ("it", "end"),
    )  # fmt: skip


def tasks(**data: Any) -> Json:
    """An iteration of tasks."""
    inside = code("c", x=["it", "item"])
    return graph(
        [start(ITEMS), *iteration("it", ALL, ["c", "result"], inside, **data),
         end(out=["it", "output"])],
        ("start", "it"), ("itstart", "c"), ("it", "end"),
    )  # fmt: skip


def out(run: Run) -> Any:
    return orjson.loads(run.run["outputs"])["out"]


def open_tasks(run: Run) -> list[Json]:
    """Those without a result."""
    assert run.state is not None
    waiting = {execution_id for execution_id, _ in run.state.all_waiting()}
    return [task for task in run.records(TaskScheduled) if task["node_execution_id"] in waiting]


def items_of(open_: list[Json]) -> list[Any]:
    return [orjson.loads(task["inputs"])["x"] for task in open_]


def test_pure_rounds_run_in_one_hop() -> None:
    run = Run(squares()).start(listing(["a", "b", "c"]))
    assert run.run["status"] == "SUCCEEDED"
    assert out(run) == ["0:a", "1:b", "2:c"]
    assert run.run["total_steps"] == 6  # start, iteration, three templates, end
    told = [(r["node_id"], r["status"], r["index"]) for r in run.records(NodeExecuted)]
    assert told == [
        ("start", "succeeded", 1), ("it", "running", 2), ("t", "succeeded", 3), ("t", "succeeded", 4),
        ("t", "succeeded", 5), ("it", "succeeded", 2), ("end", "succeeded", 6),
    ]  # fmt: skip


def test_what_is_recorded_of_the_rounds_and_of_the_iteration() -> None:
    run = Run(squares()).start(listing(["a", "b"]))
    rounds = [r for r in run.records(NodeExecuted) if r["node_id"] == "t"]
    assert [r["id"] for r in rounds] == [node_execution_id("run", "t", f"it/{i}") for i in (0, 1)]
    assert [orjson.loads(r["execution_metadata"]) for r in rounds] == [
        {"iteration_id": "it", "iteration_index": 0}, {"iteration_id": "it", "iteration_index": 1},
    ]  # fmt: skip
    assert {r["predecessor_node_id"] for r in rounds} == {"it"}
    record = run.node("it")
    assert (record["revision"], record["id"]) == (2, node_execution_id("run", "it"))
    assert orjson.loads(record["inputs"]) == {"iterator_selector": ["a", "b"]}
    assert orjson.loads(record["outputs"]) == {"output": ["0:a", "1:b"]}
    assert orjson.loads(record["execution_metadata"]) == {
        "total_tokens": 0, "total_price": 0.0, "currency": "USD",
        "iteration_duration_map": {"0": 0.0, "1": 0.0},
    }  # fmt: skip


@pytest.mark.parametrize("split_bytes", [0, 16_384])
def test_rounds_of_tasks_one_by_one(split_bytes: int) -> None:
    run = Run(tasks(), split_bytes=split_bytes).start(listing([1, 2, 3]))
    for i in (1, 2, 3):
        (task,) = open_tasks(run)
        assert items_of([task]) == [i]
        run.succeed(task, result=i * 10)
    assert out(run) == [10, 20, 30]
    assert run.run["status"] == "SUCCEEDED"


@pytest.mark.parametrize("split_bytes", [0, 16_384])
def test_rounds_side_by_side_are_no_more_than_allowed_and_keep_their_order(split_bytes: int) -> None:
    run = Run(tasks(is_parallel=True, parallel_nums=2), split_bytes=split_bytes).start(listing([1, 2, 3, 4]))
    first, second = open_tasks(run)
    assert items_of([first, second]) == [1, 2]
    run.succeed(second, result="two")
    _, third = open_tasks(run)
    assert items_of([third]) == [3]
    run.succeed(third, result="three")
    run.succeed(open_tasks(run)[-1], result="four")
    run.succeed(first, result="one")
    assert out(run) == ["one", "two", "three", "four"]
    metadata = orjson.loads(run.node("c")["execution_metadata"])
    assert metadata["iteration_index"] == 0
    assert metadata["parallel_mode_run_id"]


@pytest.mark.parametrize("items", [[], None])
def test_an_empty_list(items: Any) -> None:
    run = Run(squares()).start(listing(items))
    assert (run.run["status"], out(run)) == ("SUCCEEDED", [])
    assert orjson.loads(run.node("it")["inputs"]) == {"iterator_selector": []}


def test_what_is_no_list_fails() -> None:
    run = Run(squares()).start(listing({"a": 1}))
    assert run.run["status"] == "FAILED"
    assert "must be a list" in run.run["error"]


def test_the_failure_of_a_round_fails_the_iteration() -> None:
    run = Run(tasks()).start(listing([1, 2]))
    run.break_(open_tasks(run)[0], "no luck")
    assert run.run["status"] == "FAILED"
    assert run.run["error"] == "node 'IT' (it): no luck"
    assert run.node("c")["status"] == "failed"
    assert run.node("it")["status"] == "failed"
    assert orjson.loads(run.node("it")["outputs"]) == {"output": []}


def test_after_a_failure_rounds_under_way_end_and_no_more_begin() -> None:
    run = Run(tasks(is_parallel=True, parallel_nums=2)).start(listing([1, 2, 3]))
    first, second = open_tasks(run)
    run.break_(second, "second")
    assert open_tasks(run) == [first]
    run.break_(first, "first")
    assert run.run["error"] == "node 'IT' (it): first"


@pytest.mark.parametrize(
    ("mode", "left"), [("continue-on-error", ["a", None, "c"]), ("remove-abnormal-output", ["a", "c"])]
)
def test_failures_that_are_put_up_with(mode: str, left: list[Any]) -> None:
    run = Run(tasks(error_handle_mode=mode)).start(listing([1, 2, 3]))
    run.succeed(open_tasks(run)[0], result="a")
    run.break_(open_tasks(run)[0], "no")
    run.succeed(open_tasks(run)[0], result="c")
    assert out(run) == left
    assert (run.run["status"], run.run["exceptions_count"]) == ("PARTIAL_SUCCEEDED", 1)


def test_an_error_strategy_of_the_iteration() -> None:
    nodes = tasks(error_strategy="fail-branch")
    nodes["nodes"].append(template("sorry", "{{ why }}", why=["it", "error_message"]))
    nodes["nodes"].append(end("end2", out=["sorry", "output"]))
    nodes["edges"] += graph([], ("it", "sorry", "fail-branch"), ("sorry", "end2"))["edges"]
    run = Run(nodes).start(listing([1]))
    run.break_(open_tasks(run)[0], "no luck")
    assert (run.run["status"], out(run)) == ("PARTIAL_SUCCEEDED", "no luck")
    metadata = orjson.loads(run.node("it")["execution_metadata"])
    assert metadata["error_strategy"] == "fail-branch"
    assert "iteration_duration_map" in metadata


@pytest.mark.parametrize(
    ("flatten", "results", "joined"),
    [
        (True, [[1], [2, 3]], [1, 2, 3]),
        (True, [[1], None, [2]], [1, 2]),
        (True, [[1], 2], [[1], 2]),
        (True, [None, None], [None, None]),
        (False, [[1], [2]], [[1], [2]]),
    ],
)
def test_lists_are_joined(flatten: bool, results: list[Any], joined: list[Any]) -> None:
    run = Run(tasks(flatten_output=flatten)).start(listing([0] * len(results)))
    for result in results:
        run.succeed(open_tasks(run)[0], result=result)
    assert out(run) == joined


def test_rounds_are_apart_and_see_what_is_around_them() -> None:
    inside = [
        if_else("odd", branch("yes", where(["it", "item"], "=", "1"))),
        template("t", "{{ x }} of {{ a }}", x=["it", "item"], a=["start", "all"]),
    ]
    nodes = graph(
        [start(ITEMS, field("all")), *iteration("it", ALL, ["t", "output"], *inside),
         end(out=["it", "output"], t=["t", "output"])],
        ("start", "it"), ("itstart", "odd"), ("odd", "t", "yes"), ("it", "end"),
    )  # fmt: skip
    run = Run(nodes).start({**listing([1, 2]), "all": "two"})
    assert orjson.loads(run.run["outputs"]) == {"out": ["1 of two", None], "t": None}


def nested(inner: Json, output: str) -> Json:
    """Iterations in an iteration."""
    own = iteration("in", ["out", "item"], [inner["id"], output], inner)
    more = {"flatten_output": False, "is_parallel": True}
    return graph(
        [start(ITEMS), *iteration("out", ALL, ["in", "output"], *own, **more), end(out=["out", "output"])],
        ("start", "out"), ("outstart", "in"), ("instart", inner["id"]), ("out", "end"),
    )  # fmt: skip


@pytest.mark.parametrize("split_bytes", [0, 16_384])
def test_one_in_another(split_bytes: int) -> None:
    run = Run(nested(code("c", x=["in", "item"], i=["out", "index"]), "result"), split_bytes=split_bytes)
    run.start(listing([[1, 2], [3]]))
    while open_ := open_tasks(run):
        given = orjson.loads(open_[-1]["inputs"])
        run.succeed(open_[-1], result=[given["i"], given["x"]])
    assert out(run) == [[0, 1, 0, 2], [1, 3]]
    metadata = orjson.loads(run.node("c")["execution_metadata"])
    assert metadata["iteration_id"] == "in"
    inner = {r["id"] for r in run.records(NodeExecuted) if r["node_id"] == "in"}
    assert inner == {node_execution_id("run", "in", f"out/{i}") for i in (0, 1)}


HANDLED: Json = {
    "error_strategy": "default-value",
    "default_value": [{"key": "output", "type": "array[string]", "value": ["none"]}],
}


@pytest.mark.parametrize(("data", "status"), [({}, "failed"), (HANDLED, "exception")])
def test_rounds_that_are_nested_too_deep_together_fail_their_container(data: Json, status: str) -> None:
    deep: Json = {}
    for _ in range(252):
        deep = {"d": deep}
    run = Run(tasks(**data)).start(listing([1]))
    run.succeed(open_tasks(run)[-1], result=deep)
    assert run.node("c")["status"] == "succeeded"
    node = run.node("it")
    assert (node["status"], node["error"]) == (status, "Recursion limit reached")
    assert run.run["status"] == ("PARTIAL_SUCCEEDED" if data else "FAILED")
    if data:
        assert out(run) == ["none"]
    else:
        assert "(it): Recursion limit reached" in run.run["error"]


def test_the_depth_is_limited() -> None:
    run = Run(nested(template("t", "x"), "output"), Options(max_depth=1)).start(listing([[1]]))
    assert run.run["status"] == "FAILED"
    assert "inside more than 1 containers" in run.run["error"]


def test_tokens_are_summed() -> None:
    run = Run(tasks()).start(listing([1, 2]))
    for price in ("0.1", 0.2):
        metadata = {"total_tokens": 5, "total_price": price, "currency": "EUR"}
        run.succeed(open_tasks(run)[0], metadata, result=1)
    metadata = orjson.loads(run.node("it")["execution_metadata"])
    assert (metadata["total_tokens"], metadata["total_price"], metadata["currency"]) == (10, 0.3, "EUR")
    assert run.run["total_tokens"] == 10
    assert orjson.loads(run.node("c")["execution_metadata"])["total_tokens"] == 5


def test_answers_of_the_last_round_are_answers_of_the_run() -> None:
    inside = answer("say", "{{#it.item#}}")
    nodes = graph(
        [start(ITEMS), answer("before", "<"), *iteration("it", ALL, ["say", "answer"], inside),
         answer("after", ">")],
        ("start", "before"), ("before", "it"), ("itstart", "say"), ("it", "after"),
    )  # fmt: skip
    run = Run(compiled(nodes, WorkflowType.CHAT)).start(listing(["a", "b"]))
    assert orjson.loads(run.run["outputs"])["answer"] == "<b>"


def test_steps_within_rounds_count() -> None:
    run = Run(squares(), Options(max_steps=4)).start(listing(["a", "b", "c"]))
    assert run.run["error"] == "maximum execution steps exceeded: 4"


def test_what_is_left_of_a_stopped_run() -> None:
    run = Run(tasks(is_parallel=True), split_bytes=0).start(listing([1, 2]))
    run.cancel()
    assert run.node("it")["status"] == "stopped"
    stopped = [r for r in run.records(NodeExecuted) if r["status"] == "stopped" and r["node_id"] == "c"]
    assert [orjson.loads(r["execution_metadata"])["iteration_index"] for r in stopped] == [0, 1]
    run.cancel()
    assert run.rows == {}
