"""What a hop has worked with is freed as it ends: nothing of it is left to the garbage collector."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import Options
from tests.graphs import (
    Json,
    case,
    code,
    condition,
    end,
    field,
    graph,
    if_else,
    iteration,
    loop,
    loop_variable,
    node,
    start,
    template,
)
from tests.streams.engine.harness import Run


@contextmanager
def watched() -> Iterator[list[int]]:
    """Afterwards has how many objects only the garbage collector could free."""
    found: list[int] = []
    gc.collect()
    gc.disable()
    try:
        yield found
        found.append(gc.collect())
    finally:
        gc.enable()


def rounds_of(inside: Json, output: str) -> Json:
    return graph(
        [start(field("items", "json_object")),
         *iteration("it", ["start", "items", "list"], [inside["id"], output], inside),
         end(out=["it", "output"])],
        ("start", "it"), ("itstart", inside["id"]), ("it", "end"),
    )  # fmt: skip


@pytest.mark.parametrize("options", [Options(), Options(every_node_a_hop=True)], ids=["in one hop", "hops"])
def test_a_run_leaves_no_circle_behind(options: Options) -> None:
    run = Run(rounds_of(template("t", "{{ x }}", x=["it", "item"]), "output"), options)
    with watched() as found:
        run.start({"items": {"list": [1, 2, 3]}})
        answered = 0
        while len(tasks := run.records(TaskScheduled)) > answered:
            given = {"items": {"list": [1, 2, 3]}} if tasks[answered]["node_id"] == "start" else {}
            run.succeed(tasks[answered], output="done", **given)
            answered += 1
    assert run.run["status"] == "SUCCEEDED"
    assert found == [0]


def test_nor_does_one_with_rounds_that_wait() -> None:
    run = Run(rounds_of(code("c", x=["it", "item"]), "result"))
    with watched() as found:
        run.start({"items": {"list": [1, 2, 3]}})
        for number in range(3):
            run.succeed(run.records(TaskScheduled)[number], result="done")
    assert run.run["status"] == "SUCCEEDED"
    assert found == [0]


def test_values_that_double_in_each_round_end_the_run() -> None:
    twice = {"variable_selector": ["l", "v"], "input_type": "variable", "value": ["l", "v"]}
    double = node("double", "assigner", version="2", items=[{**twice, "operation": "extend"}])
    doubling = graph(
        [start(), *loop("l", 20, double, loop_variables=[loop_variable("v", "array[string]", '["abc"]')])],
        ("start", "l"), ("lstart", "double"),
    )  # fmt: skip
    assert Run(doubling, Options(max_hop_bytes=2**30)).start().run["status"] == "SUCCEEDED"
    run = Run(doubling, Options(max_hop_bytes=100_000)).start()
    assert run.run["error"] == "maximum size exceeded: more than 100000 bytes of values at once"
    ended = [one["status"] for one in run.records(NodeExecuted) if one["node_id"] == "double"]
    assert ended == ["succeeded"] * 12


def test_the_templates_of_a_hop_have_a_bound_together() -> None:
    busy = template("t", "{% for i in range(1000) %}{% endfor %}")
    rounds = graph(
        [start(), *loop("l", 20, busy), end(x=["l", "loop_round"])],
        ("start", "l"),
        ("lstart", "t"),
        ("l", "end"),
    )
    assert Run(rounds).start().run["status"] == "SUCCEEDED"
    run = Run(rounds, Options(max_hop_work=10_000)).start()
    assert run.run["status"] == "FAILED"
    assert "of 10000 for what a run does at once" in run.run["error"]
    told = [one["status"] for one in run.records(NodeExecuted) if one["node_id"] == "t"]
    assert told == ["succeeded"] * 9 + ["failed"]


def test_what_a_hop_spends_on_templates_the_next_one_has_again() -> None:
    busy = "{% for i in range(1000) %}{% endfor %}"
    before, after = template("t", busy), template("u", busy)
    around = graph(
        [start(), before, code("c", x=["t", "output"]), after, end(x=["u", "output"])],
        ("start", "t"), ("t", "c"), ("c", "u"), ("u", "end"),
    )  # fmt: skip
    run = Run(around, Options(max_hop_work=1_500)).start()
    run.answer("c", result="x")
    assert run.run["status"] == "SUCCEEDED"


def test_tasks_whose_settings_are_large_end_the_run() -> None:
    body = {"type": "raw-text", "data": [{"key": "", "type": "text", "value": "{{#start.x#}}" * 10}]}
    data = {
        "method": "post",
        "url": "http://a",
        "authorization": {"type": "no-auth"},
        "headers": "",
        "params": "",
    }
    asks = [node(f"h{number}", "http-request", **data, body=body) for number in range(20)]
    wide = graph([start(field("x", "paragraph")), *asks], *[("start", one["id"]) for one in asks])
    given = {"x": "a" * 1_000}
    assert len(Run(wide).start(given).records(TaskScheduled)) == 20
    run = Run(wide, Options(max_hop_bytes=100_000)).start(given)
    assert run.run["error"] == "maximum size exceeded: more than 100000 bytes of values at once"
    assert run.records(TaskScheduled) == []


def test_a_large_text_is_not_compared_any_number_of_times() -> None:
    compared = [condition(["start", "x"], "not contains", "b")] * 200
    many = graph(
        [start(field("x", "paragraph")), if_else("c", case("y", *compared)), end(x=["start", "x"])],
        ("start", "c"), ("c", "end", "y"),
    )  # fmt: skip
    given = {"x": "a" * 10_000}
    assert Run(many).start(given).run["status"] == "SUCCEEDED"
    run = Run(many, Options(max_hop_work=20_000)).start(given)
    assert "a condition takes more than 20000 steps" in run.run["error"]
