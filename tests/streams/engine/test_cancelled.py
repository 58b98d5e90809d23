"""What executors are told when nobody waits for their work any more."""

from streams.engine.commands import Timer
from streams.engine.effects import NodeExecuted, TasksCancelled, TaskScheduled
from tests.graphs import Json, code, end, field, graph, iteration, node, start, template
from tests.streams.engine.harness import NOW, Run

TOOL = node(
    "call", "tool", provider_id="p", provider_name="p", provider_type="workflow", tool_name="t",
    tool_parameters={},
)  # fmt: skip


def beside(*tasks: Json) -> Json:
    """All of them at the same time."""
    names = [task["id"] for task in tasks]
    edges = [("start", name) for name in names] + [(name, "end") for name in names]
    return graph([start(field("x")), *tasks, end()], *edges)


def cancelled(run: Run) -> list[list[str]]:
    """By node, of each time that executors were told."""
    ids = {task["node_execution_id"]: task["node_id"] for task in run.records(TaskScheduled)}
    return [[ids[one] for one in told["node_execution_ids"]] for told in run.records(TasksCancelled)]


def test_a_cancelled_run_calls_back_all_that_is_under_way() -> None:
    run = Run(beside(code("a"), code("b"), code("c"))).start()
    run.answer("a", result="done")
    run.cancel()
    assert cancelled(run) == [["b", "c"]]
    (told,) = run.records(TasksCancelled)
    assert (told["workflow_run_id"], told["tenant_id"]) == ("run", "tenant")
    run.cancel()
    assert len(run.records(TasksCancelled)) == 1


def test_so_does_one_that_another_branch_has_failed() -> None:
    run = Run(beside(code("a"), code("b"))).start()
    run.refuse("a")
    assert (run.run["status"], cancelled(run)) == ("FAILED", [["b"]])


def test_so_does_one_whose_time_is_up() -> None:
    run = Run(beside(code("a"))).start()
    run.now_us = NOW + 1_200_000_000
    run.tell(Timer("t"))
    assert (run.run["status"], cancelled(run)) == ("FAILED", [["a"]])


def test_a_run_that_comes_to_its_end_tells_executors_nothing() -> None:
    run = Run(beside(code("a"), code("b"))).start()
    run.answer("a", result="x")
    run.answer("b", result="x")
    assert (run.run["status"], cancelled(run)) == ("SUCCEEDED", [])


def test_a_task_that_was_never_sent_is_not_called_back() -> None:
    broken = template("t", "{{ 1 // 0 }}")
    run = Run(beside(code("a"), broken)).start()
    assert (run.run["status"], run.records(TaskScheduled), cancelled(run)) == ("FAILED", [], [])


def test_neither_containers_nor_attempts_that_have_not_begun_are_with_an_executor() -> None:
    inner = code("c", x=["it", "item"])
    inner["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 1, "retry_interval": 9000}
    nodes = graph(
        [start(field("x", "json_object")),
         *iteration("it", ["start", "x", "list"], ["c", "result"], inner, is_parallel=True),
         end(out=["it", "output"])],
        ("start", "it"), ("itstart", "c"), ("it", "end"),
    )  # fmt: skip
    run = Run(nodes).start({"x": {"list": [1, 2]}})
    first, second = run.records(TaskScheduled)
    run.break_(first)
    run.cancel()
    (told,) = run.records(TasksCancelled)
    assert told["node_execution_ids"] == [second["node_execution_id"]]
    stopped = [r["node_id"] for r in run.records(NodeExecuted) if r["status"] == "stopped"]
    assert sorted(stopped) == ["c", "it"]


def test_what_may_have_called_a_workflow_is_named() -> None:
    run = Run(beside(code("a"), TOOL)).start()
    run.cancel()
    (effect,) = [one for one in run.effects if isinstance(one, TasksCancelled)]
    assert effect.tools == (run.task("call")["node_execution_id"],)
