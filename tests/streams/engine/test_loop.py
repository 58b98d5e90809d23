"""Loops: variables that are kept from round to round, what ends them, and what is recorded."""

from typing import Any

import orjson
import pytest

from schemas.models import WorkflowType
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import Options
from tests.graphs import (
    Json,
    answer,
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
from tests.streams.engine.harness import Run, compiled


def assigner(node_id: str, target: list[str], operation: str, value: Any) -> Json:
    """Changes one variable; a list is a selector."""
    kind = "variable" if isinstance(value, list) else "constant"
    item = {"variable_selector": target, "input_type": kind, "operation": operation, "value": value}
    return node(node_id, "assigner", version="2", items=[item])


def counting(*, count: int = 10, until: int | None = 3, **data: Any) -> Json:
    """A loop that adds one to its variable n in each round."""
    more = {"loop_variables": [loop_variable("n", "number", "0")], **data}
    if until is not None:
        more["break_conditions"] = [condition(["l", "n"], "≥", str(until))]
    return graph(
        [start(field("x", "number")), *loop("l", count, assigner("add", ["l", "n"], "+=", 1), **more),
         end(n=["l", "n"], rounds=["l", "loop_round"])],
        ("start", "l"), ("lstart", "add"), ("l", "end"),
    )  # fmt: skip


def outputs(run: Run) -> Any:
    return orjson.loads(run.run["outputs"])


def metadata(run: Run, node_id: str = "l") -> Any:
    return orjson.loads(run.node(node_id)["execution_metadata"])


def test_it_ends_when_a_condition_holds() -> None:
    run = Run(counting()).start()
    assert (run.run["status"], outputs(run)) == ("SUCCEEDED", {"n": 3, "rounds": 3})
    assert metadata(run)["completed_reason"] == "loop_break"
    assert metadata(run)["loop_variable_map"] == {"0": {"n": 1}, "1": {"n": 2}, "2": {"n": 3}}
    assert set(metadata(run)["loop_duration_map"]) == {"0", "1", "2"}
    assert orjson.loads(run.node("l")["inputs"]) == {"loop_count": 10, "n": 0}
    assert orjson.loads(run.node("l")["outputs"]) == {"n": 3, "loop_round": 3}
    assert [
        orjson.loads(r["execution_metadata"]) for r in run.records(NodeExecuted) if r["node_id"] == "add"
    ] == [{"loop_id": "l", "loop_index": i} for i in range(3)]


def test_it_ends_when_the_count_is_reached() -> None:
    run = Run(counting(count=4, until=None)).start()
    assert outputs(run) == {"n": 4, "rounds": 4}
    assert metadata(run)["completed_reason"] == "loop_completed"


def test_a_condition_that_holds_from_the_start_leaves_no_round() -> None:
    run = Run(counting(until=0)).start()
    assert outputs(run) == {"n": 0, "rounds": None}
    assert orjson.loads(run.node("l")["outputs"]) == {}
    assert run.nodes == ["start", "l", "end"]


def test_rounds_are_limited() -> None:
    run = Run(counting(count=5, until=None), Options(max_loop_rounds=3)).start()
    assert run.run["error"] == "node 'L' (l): maximum loop rounds exceeded: 3"
    assert Run(counting(count=5), Options(max_loop_rounds=3)).start().run["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", "2.5", 2.5), ("string", "a", "a"), ("boolean", True, True),
        ("object", '{"a":1}', {"a": 1}), ("array[string]", '["a"]', ["a"]), ("array[number]", "[1]", [1]),
        ("array[object]", None, []),
    ],
)  # fmt: skip
def test_constants_have_their_types(kind: str, value: Any, expected: Any) -> None:
    run = Run(counting(count=1, until=None, loop_variables=[loop_variable("n", kind, value)]))
    run.start()
    assert orjson.loads(run.node("l")["inputs"])["n"] == expected


def test_a_variable_begins_with_another() -> None:
    run = Run(counting(loop_variables=[loop_variable("n", "number", ["start", "x"])])).start({"x": 2})
    assert outputs(run) == {"n": 3, "rounds": 1}


def test_a_variable_that_does_not_exist_fails_it() -> None:
    run = Run(counting(loop_variables=[loop_variable("n", "number", ["start", "y"])])).start()
    assert run.run["error"] == "node 'L' (l): loop variable n: variable start.y not found"


@pytest.mark.parametrize("split_bytes", [0, 16_384])
def test_variables_are_kept_over_tasks(split_bytes: int) -> None:
    inside = [code("c", n=["l", "n"]), assigner("set", ["l", "n"], "over-write", ["c", "result"])]
    variables = [loop_variable("n", "string", "0")]
    nodes = graph(
        [start(), *loop("l", 3, *inside, loop_variables=variables), end(n=["l", "n"])],
        ("start", "l"), ("lstart", "c"), ("c", "set"), ("l", "end"),
    )  # fmt: skip
    run = Run(nodes, split_bytes=split_bytes).start()
    for i in range(3):
        task = run.records(TaskScheduled)[-1]
        assert orjson.loads(task["inputs"]) == {"n": str(i)}
        run.succeed(task, result=str(i + 1))
    assert outputs(run) == {"n": "3"}
    assert run.records(TaskScheduled)[3:] == []


def test_a_loop_end_ends_it_after_the_round() -> None:
    inside = [
        assigner("add", ["l", "n"], "+=", 1),
        if_else("enough", case("yes", condition(["l", "n"], "=", "2"))),
        node("stop", "loop-end"),
        template("rest", "x"),
    ]
    variables = [loop_variable("n", "number", 0)]
    nodes = graph(
        [start(), *loop("l", 9, *inside, loop_variables=variables), end(n=["l", "n"])],
        ("start", "l"), ("lstart", "add"), ("add", "enough"), ("enough", "stop", "yes"), ("add", "rest"),
        ("l", "end"),
    )  # fmt: skip
    run = Run(nodes).start()
    assert outputs(run) == {"n": 2}
    assert metadata(run)["completed_reason"] == "loop_break"
    assert [r["node_id"] for r in run.records(NodeExecuted)].count("rest") == 2
    assert run.node("stop")["status"] == "succeeded"


def test_nodes_of_the_round_before_are_not_there() -> None:
    inside = [
        template("t", "{{ before }}", before=["later", "output"]),
        template("later", "x"),
        assigner("keep", ["l", "seen"], "append", ["t", "output"]),
    ]
    variables = [loop_variable("seen", "array[string]", "[]")]
    nodes = graph(
        [start(), *loop("l", 2, *inside, loop_variables=variables), end(seen=["l", "seen"])],
        ("start", "l"), ("lstart", "t"), ("t", "later"), ("later", "keep"), ("l", "end"),
    )  # fmt: skip
    assert outputs(Run(nodes).start()) == {"seen": ["None", "None"]}


def test_a_failure_inside_fails_it() -> None:
    nodes = graph(
        [start(), *loop("l", 2, code("c")), end(n=["l", "loop_round"])],
        ("start", "l"), ("lstart", "c"), ("l", "end"),
    )  # fmt: skip
    run = Run(nodes).start()
    run.succeed(run.records(TaskScheduled)[-1], result=1)
    run.break_(run.records(TaskScheduled)[-1], "no luck")
    assert run.run["error"] == "node 'L' (l): no luck"
    assert metadata(run)["completed_reason"] == "error"
    assert run.node("l")["outputs"] is None


def test_a_condition_that_cannot_be_told_after_a_round_fails_it() -> None:
    run = Run(counting(until=None, break_conditions=[condition(["start", "y"], "=", "1")])).start()
    assert run.run["error"] == "node 'L' (l): variable start.y not found"


def test_a_failure_inside_may_have_a_branch() -> None:
    inside = [code("c"), template("sorry", "{{ e }}", e=["c", "error_message"]),
              assigner("keep", ["l", "why"], "append", ["sorry", "output"])]  # fmt: skip
    inside[0]["data"]["error_strategy"] = "fail-branch"
    variables = [loop_variable("why", "array[string]", "[]")]
    nodes = graph(
        [start(), *loop("l", 2, *inside, loop_variables=variables), end(why=["l", "why"])],
        ("start", "l"), ("lstart", "c"), ("c", "sorry", "fail-branch"), ("sorry", "keep"), ("l", "end"),
    )  # fmt: skip
    run = Run(nodes).start()
    for why in ("one", "two"):
        run.break_(run.records(TaskScheduled)[-1], why)
    assert (run.run["status"], outputs(run)) == ("PARTIAL_SUCCEEDED", {"why": ["one", "two"]})
    assert orjson.loads(run.node("c")["execution_metadata"]) == {
        "loop_id": "l", "loop_index": 1, "error_strategy": "fail-branch",
    }  # fmt: skip


def test_writes_in_a_loop_reach_the_loops_around_it() -> None:
    inner = loop("in", 2, assigner("add", ["out", "n"], "+=", 1))
    nodes = graph(
        [start(), *loop("out", 3, *inner, loop_variables=[loop_variable("n", "number", 0)]),
         end(n=["out", "n"])],
        ("start", "out"), ("outstart", "in"), ("instart", "add"), ("out", "end"),
    )  # fmt: skip
    run = Run(nodes).start()
    assert outputs(run) == {"n": 6}
    last = orjson.loads(run.node("add")["execution_metadata"])
    assert last == {"loop_id": "in", "loop_index": 1}


def test_writes_in_an_iteration_stay_in_the_round() -> None:
    inner = iteration(
        "each", ["start", "items", "list"], ["show", "output"], assigner("add", ["l", "n"], "+=", 1),
        template("show", "{{ n }}", n=["l", "n"]),
    )  # fmt: skip
    variables = [loop_variable("n", "number", 0)]
    nodes = graph(
        [start(field("items", "json_object")), *loop("l", 1, *inner, loop_variables=variables),
         template("after", "{{ n }}", n=["l", "n"]), end(n=["after", "output"])],
        ("start", "l"), ("lstart", "each"), ("eachstart", "add"), ("add", "show"), ("l", "after"),
        ("after", "end"),
    )  # fmt: skip
    run = Run(nodes).start({"items": {"list": [1, 2]}})
    assert outputs(run) == {"n": "0"}
    assert orjson.loads(run.node("each")["outputs"]) == {"output": ["1", "1"]}
    assert orjson.loads(run.node("show")["execution_metadata"]) == {
        "loop_id": "l", "loop_index": 0, "iteration_id": "each", "iteration_index": 1,
    }  # fmt: skip


def test_a_loop_end_in_an_iteration_ends_the_loop_around() -> None:
    inner = iteration("each", ["start", "items", "list"], ["each", "item"], node("stop", "loop-end"))
    nodes = graph(
        [start(field("items", "json_object")), *loop("l", 5, *inner), end(n=["l", "loop_round"])],
        ("start", "l"), ("lstart", "each"), ("eachstart", "stop"), ("l", "end"),
    )  # fmt: skip
    assert outputs(Run(nodes).start({"items": {"list": [1, 2]}})) == {"n": 1}


def test_conversation_variables_are_one_for_the_whole_run() -> None:
    inner = iteration(
        "each", ["start", "items", "list"], ["each", "item"],
        assigner("note", ["conversation", "seen"], "append", ["each", "item"]),
    )  # fmt: skip
    nodes = graph(
        [start(field("items", "json_object")), *inner, answer("say", "{{#conversation.seen#}}")],
        ("start", "each"), ("eachstart", "note"), ("each", "say"),
    )  # fmt: skip
    variables = [{"name": "seen", "value": [], "value_type": "array[number]"}]
    definition = compiled(nodes, WorkflowType.CHAT, conversation_variables=variables)
    run = Run(definition).start({"items": {"list": [1, 2]}})
    assert outputs(run)["answer"] == "- 1\n- 2"


def test_answers_of_all_rounds_are_answers_of_the_run() -> None:
    nodes = graph(
        [start(), *loop("l", 3, answer("say", "x")), answer("after", ".")],
        ("start", "l"), ("lstart", "say"), ("l", "after"),
    )  # fmt: skip
    run = Run(compiled(nodes, WorkflowType.CHAT)).start()
    assert outputs(run)["answer"] == "xxx."
