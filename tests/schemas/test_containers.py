"""Which node is inside which container, in all the ways that files say it, and what can be wrong about it."""

import pytest

from schemas.containers import claims, owners
from schemas.graph import check, read_graph, remarks
from tests.graphs import Json, code, end, field, graph, iteration, loop, node, start, template

ITEMS = ["start", "items"]


def inside(node_id: str, **data: str | bool) -> Json:
    return node(node_id, "code", **data)


def owner_of(node_id: str, *nodes: Json) -> str:
    return owners({one["id"]: claims(one) for one in nodes})[node_id]


@pytest.mark.parametrize(
    ("child", "owner"),
    [
        ({"id": "c", "parentId": "out", "data": {"iteration_id": "other"}}, "out"),
        ({"id": "c", "parentId": "out", "data": {"container_id": "in"}}, "in"),
        ({"id": "c", "parentId": "out", "data": {"container_id": ""}}, ""),
        ({"id": "c", "data": {"iteration_id": "in"}}, "in"),
        ({"id": "c", "data": {"isInIteration": True, "iteration_id": "in"}}, "in"),
        ({"id": "c", "data": {"isInIteration": False, "iteration_id": "in"}}, ""),
        ({"id": "c", "data": {"loop_id": "out", "isInLoop": True}}, "out"),
        ({"id": "c", "data": {"iteration_id": "in", "loop_id": "out"}}, "in"),
        ({"id": "c", "data": {"iteration_id": None, "loop_id": ""}}, ""),
        ({"id": "c", "data": "?"}, ""),
    ],
)
def test_the_innermost_container_is_found(child: Json, owner: str) -> None:
    nested = {"id": "in", "data": {"type": "iteration", "loop_id": "out"}}
    assert owner_of("c", child, nested, {"id": "out", "data": {"type": "loop"}}) == owner


def test_nodes_of_a_container_that_was_deleted_are_in_none() -> None:
    for left in ({"parentId": "gone"}, {"data": {"isInLoop": True, "loop_id": "gone"}}):
        assert owner_of("c", {"id": "c", "data": {}, **left}) == ""


def test_containers_in_a_circle_end_somewhere() -> None:
    nodes = [inside("a", loop_id="b", iteration_id="c"), inside("b", loop_id="a"), inside("c", loop_id="b")]
    assert owner_of("a", *nodes) in {"b", "c"}


def good() -> Json:
    return graph(
        [start(field("items", "json_object")), *iteration("it", ITEMS, ["c", "result"], code("c")), end()],
        ("start", "it"), ("itstart", "c"), ("it", "end"),
    )  # fmt: skip


def test_a_graph_with_containers_is_fine() -> None:
    assert check(good(), "workflow") == []
    assert remarks(good(), "workflow") == []
    assert [one.id for one in read_graph(good()).inside("it")] == ["itstart", "c"]


def with_nodes(*nodes: Json) -> Json:
    made = good()
    return {**made, "nodes": [*made["nodes"], *nodes]}


def without(node_id: str) -> Json:
    made = good()
    edges = [edge for edge in made["edges"] if node_id not in (edge["source"], edge["target"])]
    return {"nodes": [one for one in made["nodes"] if one["id"] != node_id], "edges": edges}


def with_edge(source: str, target: str) -> Json:
    made = good()
    return {**made, "edges": [*made["edges"], *graph([], (source, target))["edges"]]}


def variable(value_type: str, value: str) -> Json:
    return {"label": "x", "var_type": "number", "value_type": value_type, "value": value}


CIRCLE = [{**loop("a", 1)[0], "parentId": "b"}, {**loop("b", 1)[0], "parentId": "a"}]


@pytest.mark.parametrize(
    ("graph_json", "problem"),
    [
        (with_nodes({**template("t", "x"), "parentId": "c"}), "t, parentId: is inside c, which is no"),
        (without("itstart"), "it, start_node_id: names no iteration-start node inside"),
        (with_edge("start", "c"), "start, edges: the edge to c crosses the border"),
        (with_edge("c", "end"), "c, edges: the edge to end crosses the border"),
        (with_nodes(node("s", "loop-start")), "s, type: loop-start is not inside a container of its type"),
        (with_nodes({**node("s", "loop-start"), "parentId": "it"}), "s, type: loop-start is not inside"),
        (with_nodes({**node("e", "loop-end"), "parentId": "it"}), "e, type: loop-end is not inside a loop"),
        (with_nodes({**start(), "id": "s", "parentId": "it"}), "s, type: a start node cannot be inside it"),
        (with_nodes(*CIRCLE), "a, parentId: is inside itself"),
        (with_nodes(*loop("l", 0)), "l, loop_count"),
        (with_nodes(*loop("l", 1, loop_variables=[variable("constant", "many")])), "x must be a number"),
        (with_nodes(*loop("l", 1, loop_variables=[variable("variable", "y")])), "x must be a selector"),
        (with_nodes(*iteration("i", ["no", "x"], ["c", "result"])), "i, iterator_selector: refers to no.x"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(graph_json: Json, problem: str) -> None:
    assert any(problem in str(found) for found in check(graph_json, "workflow")), check(
        graph_json, "workflow"
    )


def test_a_start_that_is_not_named_is_found() -> None:
    made = good()
    made["nodes"][1]["data"]["start_node_id"] = ""
    assert check(made, "workflow") == []


def test_what_is_inside_and_not_reached_is_remarked() -> None:
    lost = with_nodes({**template("lost", "x"), "parentId": "it"})
    assert [str(remark) for remark in remarks(lost, "workflow")] == ["node lost, edges: is never reached"]
