"""Every reason to refuse a graph is found, with node and field, and nothing else is."""

from itertools import pairwise
from typing import Any

import pytest

from schemas.graph import check, remarks
from schemas.nodes import NODE_DATA, NOT_SUPPORTED_YET
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
    node,
    start,
    template,
)

FORM = start(field("a"))


def found(graph_json: Json, mode: str = "workflow") -> list[str]:
    return [str(problem) for problem in check(graph_json, mode)]


def with_node(extra: Json) -> Json:
    return graph([FORM, extra, end()], ("start", extra["id"]), (extra["id"], "end"))


def http(**data: Any) -> Json:
    return node("h", "http-request", **{"method": "get", "url": "http://x", **data})


GOOD = [
    graph([FORM, end(x=["start", "a"], y=["sys", "user_id"], z=["env", "E"])], ("start", "end")),
    graph([FORM]),
    graph([FORM, code("c", x=["start", "a", "b", "c"])], ("start", "c")),
    graph([FORM, end(x=[])], ("start", "end")),
    graph([FORM, end(), template("lost", "x")], ("start", "end")),
    graph([FORM, {"id": "n", "type": "custom-note", "data": {"type": ""}}]),
    with_node(if_else("i")),
    with_node(node("i", "if-else", conditions=[condition(["start", "a"], "is", "x")], logical_operator="or"))
    | {
        "edges": [
            {"source": "start", "target": "i"},
            {"source": "i", "target": "end", "sourceHandle": "true"},
        ]
    },
    with_node(node("v", "variable-assigner", output_type="string", variables=[["start", "a"]])),
    with_node(http(authorization={"type": "no-auth", "config": None}, body={"type": "json", "data": "{}"})),
    with_node(http(method="POST", headers=None, body={"type": "none", "data": []}, timeout={"connect": 1})),
]
GOOD[6]["edges"][1]["sourceHandle"] = "false"


@pytest.mark.parametrize("graph_json", GOOD)
def test_accepted(graph_json: Json) -> None:
    assert found(graph_json) == []


GRAPH_PROBLEMS: list[tuple[Json, str]] = [
    ({}, "graph.nodes: must be a list"),
    ({"nodes": [], "edges": {}}, "graph.edges: must be a list"),
    (graph([end()]), "graph.nodes: no start node"),
    (graph([FORM, node("start2", "start")]), "several start nodes: start, start2"),
    (graph([FORM, end(), end()]), "node end, id: is used by several nodes"),
    (graph([FORM, node("env", "end")]), "node env, id: is reserved"),
    ({"nodes": [FORM, 5], "edges": []}, "graph.nodes.1: must be an object"),
    ({"nodes": [FORM, {"id": 5, "data": {}}], "edges": []}, "graph.nodes.1.id: must be a text"),
    ({"nodes": [FORM], "edges": [5]}, "graph.edges.0: must be an object"),
    (graph([FORM], ("start", "gone")), "graph.edges.0: leads from or to node 'gone', which does not exist"),
    (
        graph([FORM, template("b", ""), template("c", "")], ("start", "b"), ("b", "c"), ("c", "b")),
        "edges: cycle: ",
    ),
]


def changed(extra: Json, **data: Any) -> Json:
    return {**extra, "data": {**extra["data"], **data}}


def compare(*args: Any) -> Json:
    return if_else("x", case("1", condition(*args)))


def form(schema: Any) -> Json:
    return node("x", "start", variables=[field("a", "json_object", json_schema=schema)])


DEEP: Json = {}
for _ in range(200):
    DEEP = {"properties": {"a": DEEP}}

NODE_PROBLEMS: list[tuple[Json, str]] = [
    (node("x", "teleport"), "node x, type: unknown node type 'teleport'"),
    (node("x", ""), "node x, type: unknown node type ''"),
    (node("x", "end", outputs=[{"value_selector": []}]), "node x, outputs.0.variable: Field required"),
    (node("x", "start", variables=[field("a", "colour")]), "node x, variables.0.type: Input should be"),
    (form("{"), "json_schema: is not JSON"),
    (form({"type": "colour"}), "node x, variables.0.json_schema: is no JSON Schema (draft 7): at $.type"),
    (end("x", o=["gone", "y"]), "node x, outputs.0.value_selector: refers to gone.y, but there is no node"),
    (answer("x", "{{#gone.y#}}"), "node x, answer: refers to gone.y"),
    (http(headers="A: {{#gone.y#}}"), "node h, headers: refers to gone.y"),
    (http(body={"type": "binary", "data": [{"file": ["gone", "y"]}]}), "body.data.0.file: refers to"),
    (http(method="BREW"), "node h, method: Input should be"),
    (http(authorization={"type": "api-key"}), "node h, authorization.config: is missing"),
    (compare(["gone", "y"], "is"), "node x, cases.0.conditions.0.variable_selector: refers to gone.y"),
    (compare(["start", "a"], "is", "{{#gone.y#}}"), "node x, cases.0.conditions.0.value: refers to gone.y"),
    (compare(["start"], "is"), "variable_selector: List should have at least 2"),
    (compare(["start", "a"], "before"), "comparison_operator: Input should be"),
    (if_else("x", case("1"), case("1")), "node x, cases: case ids are not unique"),
    (changed(code("x"), default_value=[{"key": "n", "type": "number", "value": "x"}]), "x, default_value.0"),
    (changed(code("x"), default_value=[{"key": "o", "type": "object", "value": "{"}]), "x, default_value.0"),
    (template("x", "{{ a"), "node x, template: line 1: unexpected end of template"),
    (template("x", "\n{{ a|nope }}"), "node x, template: line 2: No filter named 'nope'"),
    (template("x", "{{ " + "(" * 3000), "node x, template: cannot be compiled"),
    (template("x", "{{ " + "1" * 5000 + " }}"), "node x, template: cannot be compiled"),
    (template("x", "{{ a + 1 }}" * 9000), "node x, template: line 1: the template has more than 50000 names"),
    (changed(code("x"), code="def main(:"), "node x, code: does not compile, line 1"),
    (changed(code("x"), code="a\0b"), "node x, code: does not compile"),
    (changed(code("x"), code="def f(): pass"), "node x, code: has no function main"),
    (changed(code("x"), code_language="javascript", code="function main({a}) {\n  return {;\n}"), "line 2:"),
    (changed(code("x"), code_language="javascript", code="let x = 1"), "node x, code: has no function main"),
    (changed(code("x"), outputs={"r": {"type": "file"}}), "node x, outputs.r.type"),
]
BAD = [*GRAPH_PROBLEMS, *((with_node(extra), problem) for extra, problem in NODE_PROBLEMS)]


@pytest.mark.parametrize(("graph_json", "problem"), BAD)
def test_refused(graph_json: Json, problem: str) -> None:
    assert any(problem in one for one in found(graph_json)), found(graph_json)


@pytest.mark.parametrize("kind", sorted(NOT_SUPPORTED_YET))
def test_types_that_dify_has_besides_are_named(kind: str) -> None:
    assert f"node x, type: {kind} is not supported yet" in found(with_node(node("x", kind)))
    assert kind not in NODE_DATA


def test_a_script_that_takes_too_long_to_parse_is_left_to_its_run() -> None:
    wrong = "x = 1 +\n"
    for code_chars, problems in ((200_000, 1), (200_001, 0)):
        script = changed(code("x"), code=wrong.ljust(code_chars))
        assert len(check(graph([start(), script], ("start", "x")), "workflow")) == problems


def test_a_cycle_is_named_by_its_nodes_and_not_by_those_behind_it() -> None:
    nodes = [FORM, *(template(name, "") for name in "abcz")]
    edges = [("start", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "z")]
    (problem,) = check(graph(nodes, *edges), "workflow")
    ring = problem.why.removeprefix("cycle: ").split(" -> ")
    assert ring[0] == ring[-1]
    assert set(ring) == {"a", "b", "c"}
    assert all((one, other) in edges for one, other in pairwise(ring))


def test_all_problems_are_found_in_one_go() -> None:
    bad = graph([template("t", "{{"), node("l", "knowledge-index"), end(o=["gone", "x"])], ("t", "nowhere"))
    assert len(found(bad)) == 5


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None], {"a": 1}])
@pytest.mark.parametrize(
    "name", ["variables", "cases", "template", "code", "outputs", "body", "type", "title"]
)
def test_malformed_data_is_a_problem_and_never_an_exception(name: str, value: Any) -> None:
    for kind in NODE_DATA:
        check(
            graph([FORM, node("x", kind, **({name: value} if name not in ("type", "title") else {}))]),
            "workflow",
        )
    check({"nodes": [FORM, {"id": "x", "data": {"type": "code", name: value}}], "edges": [{}]}, "workflow")


@pytest.mark.parametrize(
    ("graph_json", "remark"),
    [
        (graph([FORM, end(), template("lost", "x")], ("start", "end")), "node lost, edges: is never reached"),
        (with_node(answer("a", "{{#start.a#}} {{#no-node.a#}}")), "{{#no-node.a#}} is no reference"),
        (graph([start(field("a"), field("a"))]), "node start, variables: 'a' is there several times"),
        (
            with_node(http(body={"type": "json", "data": []})),
            "node h, body.data: a body of type json has exactly one item: the node will fail",
        ),
        (
            graph([form(DEEP), end()], ("x", "end")),
            "variables.0.json_schema: the node will fail: its schema leads more than 100 keywords deep",
        ),
        (
            graph([form({"pattern": "(?=a)"}), end()], ("x", "end")),
            "the node will fail: '(?=a)' is no regular expression as RE2 takes them",
        ),
        (with_node(answer("a", "")), "node a, type: answer is unusual in mode workflow"),
        (with_node(if_else("x", case("1"))), "'source', which is no case (there are: 1, false)"),
        (
            with_node(
                code("c") | {"data": {**code("c", x=["start", "a"])["data"], "code": "def main(y): ..."}}
            ),
            "node c, variables: main has no parameter 'x'",
        ),
    ],
)
def test_what_is_odd_but_runs_is_remarked(graph_json: Json, remark: str) -> None:
    assert found(graph_json) == []
    assert any(remark in str(problem) for problem in remarks(graph_json, "workflow"))


def test_nothing_is_remarked_about_a_good_graph() -> None:
    assert remarks(GOOD[0], "workflow") == []
    assert [str(r) for r in remarks(GOOD[0], "advanced-chat")] == [
        "node end, type: end is unusual in mode advanced-chat"
    ]


def test_forms_that_nobody_can_fill_are_remarked() -> None:
    fields = [
        field("a", "select"),
        field("b", "select", options=["x"], default="y"),
        field("c", "file", allowed_file_types=["custom"]),
        field("d", "select", options=["x"], default="x", hide=True),
    ]
    found = remarks(graph([start(*fields), end()], ("start", "end")), "workflow")
    assert [(remark.field, remark.why) for remark in found] == [
        ("variables.0", "'a' is a select without options: nothing can be chosen"),
        ("variables.1", "'b' has the default 'y', which is none of its options"),
        ("variables.2", "'c' admits custom files but names no extension"),
    ]
