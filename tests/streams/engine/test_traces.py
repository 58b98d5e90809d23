"""Which span each record is under."""

from typing import Any

from schemas.ids import node_execution_id
from schemas.traces import child, context_of, root, span_id, trace_id
from streams.engine.commands import Start
from streams.engine.effects import LogChanged, NodeExecuted, RunChanged, TaskScheduled
from tests.graphs import Json, code, end, graph, iteration, start
from tests.streams.engine.harness import LOG, NOW, Run

RUN, LOGGED, EVENT = (f"{n}1111111-2222-4333-8444-55555555555{n}" for n in "123")
SENT = f"00-4bf92f3577b34da6a3ce929d0e0e4736-{span_id(EVENT)}-00"
TASKS = graph([start(), code("a"), end()], ("start", "a"), ("a", "end"))


def begun(graph: Json, **more: Any) -> Run:
    run = Run(graph)
    run.tell(Start("start", RUN, "tenant", "app", "workflow", "v1", NOW, {}, **more))
    return run


def log(**more: Any) -> Json:
    return {**LOG, "id": LOGGED, "workflow_run_id": RUN, "event_id": EVENT, **more}


def test_a_run_is_under_the_routing_of_its_event_and_its_nodes_are_under_it() -> None:
    run = begun(TASKS, trigger_log=log(traceparent=SENT))
    run.answer("a", result="x")
    assert run.run["status"] == "SUCCEEDED"
    assert {record["traceparent"] for record in run.records(RunChanged)} == {child(SENT, LOGGED)}
    assert {record["traceparent"] for record in run.records(NodeExecuted)} == {child(SENT, RUN)}
    # Of the log itself it stays what the router has said.
    assert {record["traceparent"] for record in run.records(LogChanged)} == {SENT}


def test_a_task_carries_the_span_of_its_execution() -> None:
    run = begun(TASKS, trigger_log=log(traceparent=SENT))
    (task,) = [effect for effect in run.effects if isinstance(effect, TaskScheduled)]
    assert task.traceparent == child(SENT, task.record["node_execution_id"])
    assert context_of(task.traceparent) is not None


def test_without_a_context_the_trace_is_that_of_the_event() -> None:
    run = begun(TASKS, trigger_log=log())
    assert run.run["traceparent"] == f"00-{trace_id(EVENT)}-{span_id(LOGGED)}-01"
    assert run.node("a")["traceparent"] == f"00-{trace_id(EVENT)}-{span_id(RUN)}-01"


def test_a_called_run_is_under_the_node_that_has_called_it() -> None:
    caller = {"workflow_run_id": "r", "depth": 1, "traceparent": SENT}
    assert begun(TASKS, caller=caller).run["traceparent"] == SENT
    # A release that said nothing of it: a trace of its own.
    before = begun(TASKS, caller={"workflow_run_id": "r", "depth": 1})
    assert before.run["traceparent"] == root(RUN)
    assert before.node("a")["traceparent"] == child(root(RUN), RUN)


def test_a_single_step_begins_a_trace() -> None:
    run = begun(TASKS, single_step="a")
    assert run.node("a")["traceparent"] == root(RUN)


def test_what_is_in_a_container_is_under_its_execution() -> None:
    run = begun(
        graph(
            [start(), *iteration("each", ["sys", "files"], ["a", "result"], code("a")), end()],
            ("start", "each"), ("eachstart", "a"), ("each", "end"),
        ),
        system={"files": ["x", "y"]},
        trigger_log=log(traceparent=SENT),
    )  # fmt: skip
    assert run.node("each")["traceparent"] == child(SENT, RUN)
    assert run.node("a")["traceparent"] == child(SENT, node_execution_id(RUN, "each"))
    run.cancel()
    assert run.node("a")["status"] == "stopped"
    assert {r["traceparent"] for r in run.records(NodeExecuted) if r["node_id"] == "a"} == {
        child(SENT, node_execution_id(RUN, "each"))
    }
