"""Every node a hop: executors run pure nodes, and the run ends the same."""

import orjson
import pytest

from schemas.models import WorkflowType
from streams.engine.commands import Cancel, NodeResult
from streams.engine.effects import NodeExecuted, TaskScheduled
from streams.engine.options import Options
from streams.engine.pure import execute_pure, is_pure
from streams.engine.state import SPLIT_BYTES
from tests.graphs import Json, answer, case, condition, end, field, graph, if_else, node, start, template
from tests.streams.engine.harness import Run, compiled

GRAPH = graph(
    [
        start(field("x", "number", required=True)),
        if_else("i", case("big", condition(["start", "x"], ">", "{{#env.LIMIT#}}"))),
        template("t", "{{ x }} is big", x=["start", "x"]),
        template("f", "{{ x }} is small", x=["start", "x"]),
        node("v", "variable-aggregator", output_type="string", variables=[["t", "output"], ["f", "output"]]),
        answer("a", "{{#v.output#}} {{#sys.user_id#}}"),
        end(o=["v", "output"]),
    ],
    ("start", "i"), ("i", "t", "big"), ("i", "f", "false"), ("t", "v"), ("f", "v"), ("v", "a"), ("a", "end"),
)  # fmt: skip


def drive(inputs: Json, options: Options) -> Run:
    definition = compiled(
        GRAPH, WorkflowType.WORKFLOW, environment_variables=[{"name": "LIMIT", "value": "100"}]
    )
    run = Run(definition, options).start(inputs, system={"user_id": "ada"})
    answered = 0
    while answered < len(tasks := run.records(TaskScheduled)):
        task = tasks[answered]
        answered += 1
        done = execute_pure(task["node_type"], orjson.loads(task["config"]), orjson.loads(task["inputs"]))
        run.tell(
            NodeResult(
                "r",
                task["node_execution_id"],
                done.status,
                orjson.loads(orjson.dumps(done.outputs)),
                orjson.loads(orjson.dumps(done.process_data)),
                done.error,
                done.error_type,
                done.edge_source_handle,
            )
        )
    return run


@pytest.mark.parametrize("inputs", [{"x": 101}, {"x": 7}, {"x": "none"}, {}])
def test_the_run_ends_as_it_does_in_one_hop(inputs: Json) -> None:
    in_one, hop_by_hop = drive(inputs, Options()), drive(inputs, Options(every_node_a_hop=True))
    assert in_one.records(TaskScheduled) == []
    assert hop_by_hop.nodes == in_one.nodes == [t["node_id"] for t in hop_by_hop.records(TaskScheduled)]
    for key in ("status", "outputs", "error", "total_steps"):
        assert hop_by_hop.run[key] == in_one.run[key]
    for name in in_one.nodes:
        for key in ("outputs", "status", "error", "process_data"):
            assert hop_by_hop.node(name)[key] == in_one.node(name)[key], (name, key)
    assert [(r["node_id"], r["revision"]) for r in hop_by_hop.records(NodeExecuted)] == [
        (name, 1) for name in hop_by_hop.nodes
    ]


def test_a_run_of_an_earlier_release_tells_of_its_nodes_as_it_began() -> None:
    run = Run(compiled(GRAPH), Options(every_node_a_hop=True)).start({"x": 7})
    assert run.state is not None
    run.state.parts.drop("ends")
    run.answer("start", x=7)
    told = [(r["node_id"], r["status"], r["revision"]) for r in run.records(NodeExecuted)]
    assert told == [("start", "succeeded", 2), ("i", "running", 1)]


@pytest.mark.parametrize("split_bytes", [SPLIT_BYTES, 0])
def test_a_node_that_was_not_told_of_is_stopped_with_its_run(split_bytes: int) -> None:
    run = Run(compiled(GRAPH), Options(every_node_a_hop=True), split_bytes).start({"x": 7})
    run.tell(Cancel("c", "enough"))
    told = [(r["node_id"], r["status"], r["revision"]) for r in run.records(NodeExecuted)]
    assert told == [("start", "stopped", 1)]


def test_an_executor_is_not_given_more_than_the_node_reads() -> None:
    run = drive({"x": 7}, Options(every_node_a_hop=True))
    assert orjson.loads(run.task("i")["inputs"]) == {"start": {"x": 7}, "env": {"LIMIT": "100"}}


def test_what_is_pure() -> None:
    assert is_pure("if-else")
    assert not is_pure("code")
    with pytest.raises(KeyError):
        execute_pure("code", {}, {})
    assert execute_pure("template-transform", {}, {}).error_type == "InvalidDefinition"
