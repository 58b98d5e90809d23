"""References that lead to nothing whatever the run does are remarked, and others are not."""

from schemas.graph import remarks
from tests.graphs import Json, code, end, field, graph, node, start


def inside(owner: str, inner: Json) -> Json:
    return {**inner, "parentId": owner}


def nested(outer_reads: list[str], inner_reads: list[str]) -> list[str]:
    """What is remarked about an iteration with a code node inside, and one before and one after it."""
    each = node(
        "each",
        "iteration",
        start_node_id="begin",
        iterator_selector=["before", "result"],
        output_selector=["inner", "result"],
    )
    nodes = [
        start(field("a")),
        code("before", x=["start", "a"]),
        each,
        inside("each", node("begin", "iteration-start")),
        inside("each", code("inner", x=inner_reads)),
        code("after", x=outer_reads),
        end(out=["after", "result"]),
    ]
    edges = [("start", "before"), ("before", "each"), ("begin", "inner"), ("each", "after"), ("after", "end")]
    return [str(found) for found in remarks(graph(nodes, *edges), "workflow")]


def test_what_can_have_run_is_not_remarked() -> None:
    assert nested(["each", "output"], ["each", "item"]) == []
    assert nested(["start", "a"], ["before", "result"]) == []
    assert nested(["sys", "user_id"], ["conversation", "x"]) == []


def test_a_node_outside_cannot_read_one_inside() -> None:
    (found,) = nested(["inner", "result"], ["each", "item"])
    assert "refers to inner.result, but inner is inside each, which this node is not" in found


def test_a_node_cannot_read_one_that_runs_later() -> None:
    (found,) = nested(["each", "output"], ["after", "result"])
    assert "refers to after.result, but after runs no earlier" in found


def test_branches_do_not_read_one_another() -> None:
    nodes = [start(field("a")), code("one", x=["two", "result"]), code("two", x=["start", "a"]), end()]
    found = remarks(
        graph(nodes, ("start", "one"), ("start", "two"), ("one", "end"), ("two", "end")), "workflow"
    )
    assert [(remark.node, remark.field) for remark in found] == [("one", "variables.0.value_selector")]
