"""One node alone, on values that are given."""

import orjson
import pytest

from schemas.models import WorkflowType
from streams.engine.commands import Resume
from streams.engine.effects import LogChanged, NodeExecuted, RunChanged, TaskScheduled
from tests.graphs import Json, code, end, field, graph, iteration, node, start, template
from tests.streams.engine.harness import Run, compiled

INSIDE = template("t", "{{ x }}!", x=["it", "item"])
GRAPH = graph(
    [
        start(field("q")),
        template("greet", "Hello {{ name }}", name=["start", "q"]),
        code("c", x=["greet", "output"]),
        *iteration("it", ["c", "list"], ["t", "output"], INSIDE),
        end(out=["it", "output"]),
    ],
    ("start", "greet"), ("greet", "c"), ("c", "it"), ("itstart", "t"), ("it", "end"),
)  # fmt: skip


def step(node_id: str, inputs: Json | None = None, **values: Json) -> Run:
    run = Run(compiled(GRAPH, only=node_id))
    return run.start(inputs, single_step=node_id, values=values, triggered_from="debugging")


def only(run: Run, node_id: str) -> Json:
    """The latest record of the node, of a step that has left no other trace."""
    assert run.records(RunChanged) == []
    assert run.records(LogChanged) == []
    record = run.node(node_id)
    assert (record["triggered_from"], record["workflow_run_id"]) == ("single-step", None)
    assert record["created_by_role"] == "account"
    return record


def test_a_pure_node_runs_and_nothing_after_it() -> None:
    run = step("greet", start={"q": "Ada"})
    record = only(run, "greet")
    assert (record["status"], record["outputs"]) == ("succeeded", '{"output":"Hello Ada"}')
    assert (record["index"], record["predecessor_node_id"]) == (1, None)
    assert len(run.effects) == 1
    assert run.state is not None
    assert run.state.ended


def test_a_task_is_sent_and_its_result_ends_the_step() -> None:
    run = step("c", greet={"output": "Hi"})
    assert orjson.loads(run.task("c")["inputs"]) == {"x": "Hi"}
    run.answer("c", result="done")
    assert only(run, "c")["outputs"] == '{"result":"done"}'
    assert len(run.records(NodeExecuted)) == 2


def test_a_task_that_fails_is_tried_once() -> None:
    tried = code("c", x=["start", "q"])
    tried["data"]["retry_config"] = {"retry_enabled": True, "max_retries": 3, "retry_interval": 1}
    run = Run(compiled(graph([start(), tried], ("start", "c")), only="c"))
    run.start(single_step="c")
    run.refuse("c")
    assert only(run, "c")["status"] == "failed"
    assert len(run.records(TaskScheduled)) == 1


def test_a_container_runs_with_what_is_inside() -> None:
    run = step("it", c={"list": ["a", "b"]})
    assert orjson.loads(only(run, "it")["outputs"]) == {"output": ["a!", "b!"]}
    assert only(run, "t")["outputs"] == '{"output":"b!"}'


def test_a_node_inside_a_container_runs_without_it() -> None:
    run = step("t", it={"item": "z", "index": 4})
    assert only(run, "t")["outputs"] == '{"output":"z!"}'
    assert {record["node_id"] for record in run.records(NodeExecuted)} == {"t"}


def test_the_start_node_takes_its_variables() -> None:
    assert orjson.loads(only(step("start", {"q": "hm"}), "start")["outputs"])["q"] == "hm"


def test_a_node_that_does_not_exist_is_no_step() -> None:
    with pytest.raises(KeyError):
        compiled(GRAPH, only="nobody")


def test_a_step_of_a_rag_pipeline_is_a_single_step() -> None:
    definition = compiled(GRAPH, WorkflowType.RAG_PIPELINE, only="greet")
    only(Run(definition).start(single_step="greet", values={"start": {"q": "x"}}), "greet")


def test_a_node_that_asks_waits_for_its_answer() -> None:
    ask = node(
        "ask", "human-input", form_content="{{#start.q#}}?", user_actions=[{"id": "yes", "title": "Yes"}]
    )
    definition = compiled(graph([start(field("q")), ask], ("start", "ask")), only="ask")
    run = Run(definition).start(single_step="ask", values={"start": {"q": "Sure"}})
    pause = orjson.loads(only(run, "ask")["execution_metadata"])["pause"]
    assert (pause["workflow_run_id"], pause["pause_metadata"]["message"]) == ("run", "Sure?")
    run.tell(Resume("c", "click", node_execution_id=run.node("ask")["id"]))
    record = only(run, "ask")
    assert (record["status"], orjson.loads(record["outputs"])["__action_id"]) == ("succeeded", "yes")
    assert run.state is not None
    assert run.state.ended
