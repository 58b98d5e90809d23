"""Error strategies: a failure takes its own branch, or stands in with default values."""

from typing import Any

import orjson

from streams.engine.commands import NodeResult
from tests.graphs import Json, code, end, graph, start, template
from tests.streams.engine.harness import Run


def with_strategy(strategy: str, **data: Any) -> Json:
    failing = code("c")
    failing["data"] |= {"error_strategy": strategy, **data}
    told = template("told", "{{ m }} {{ t }}", m=["c", "error_message"], t=["c", "error_type"])
    return graph(
        [start(), failing, told, template("fine", "{{ r }}", r=["c", "result"]), end(o=["told", "output"])],
        ("start", "c"), ("c", "told", "fail-branch"), ("c", "fine"), ("told", "end"), ("fine", "end"),
    )  # fmt: skip


def test_fail_branch() -> None:
    run = Run(with_strategy("fail-branch")).start()
    run.refuse("c", "it broke", "Broken")
    record = run.node("c")
    assert (record["status"], record["error"]) == ("exception", "it broke")
    assert orjson.loads(record["outputs"]) == {"error_message": "it broke", "error_type": "Broken"}
    assert orjson.loads(record["execution_metadata"]) == {"error_strategy": "fail-branch"}
    assert run.nodes == ["start", "c", "told", "end"]
    assert (run.run["status"], run.run["exceptions_count"]) == ("PARTIAL_SUCCEEDED", 1)
    assert orjson.loads(run.run["outputs"]) == {"o": "it broke Broken"}


def test_the_fail_branch_is_skipped_on_success() -> None:
    run = Run(with_strategy("fail-branch")).start()
    run.answer("c", result="R")
    assert run.nodes == ["start", "c", "fine", "end"]
    assert (run.run["status"], run.run["exceptions_count"]) == ("SUCCEEDED", 0)


def test_default_values_stand_in() -> None:
    defaults = [
        {"key": "result", "type": "string", "value": "none"},
        {"key": "list", "type": "array[number]", "value": "[1, 2]"},
        {"key": "n", "type": "number", "value": 5},
        {"key": "typed", "type": "number", "value": "5"},
    ]
    run = Run(with_strategy("default-value", default_value=defaults)).start()
    run.refuse("c")
    assert orjson.loads(run.node("c")["outputs"]) == {
        "result": "none", "list": [1, 2], "n": 5, "typed": 5.0, "error_message": "it broke",
        "error_type": "Broken",
    }  # fmt: skip
    assert run.node("fine")["outputs"] == '{"output":"none"}'
    assert run.run["status"] == "PARTIAL_SUCCEEDED"


def test_what_a_failed_node_gave_is_recorded_and_goes_no_further() -> None:
    run = Run(with_strategy("fail-branch")).start()
    task = run.task("c")["node_execution_id"]
    run.tell(NodeResult("r", task, "failed", {"status_code": 500}, error="it broke"))
    assert "status_code" not in orjson.loads(run.node("c")["outputs"])
    run = Run(graph([start(), code("c")], ("start", "c"))).start()
    run.tell(NodeResult("r", task, "failed", {"status_code": 500}, error="it broke"))
    assert orjson.loads(run.node("c")["outputs"]) == {"status_code": 500}


def test_a_failure_without_a_reason_has_one() -> None:
    run = Run(graph([start(), code("c")], ("start", "c"))).start()
    run.refuse("c", "", None)
    assert run.run["error"] == "node 'C' (c): failed without a reason"
