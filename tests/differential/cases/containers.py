"""Iterations and loops: rounds, failures in them, what they put out, one inside the other."""

from typing import Any

from tests.differential.cases.build import variables
from tests.differential.job import Job
from tests.graphs import (
    Json,
    case,
    condition,
    end,
    graph,
    if_else,
    iteration,
    loop,
    loop_variable,
    node,
    start,
    template,
)

_LISTS: dict[str, list[Any]] = {
    "texts": ["a", "b", "c"], "numbers": [1, 2, 3], "objects": [{"k": 1}, {"k": 2}], "one": ["x"], "none": [],
    "mixed": ["a", 1, None], "nested": [[1, 2], [3]], "flags": [True, False],
}  # fmt: skip


def brittle(
    node_id: str, item: list[str], returns: str = "str(i)", kind: str = "string", **data: Any
) -> Json:
    """A code node that fails for the item b, or 2."""
    code = (
        f"def main(i):\n    if i in ('b', 2):\n        raise ValueError('no')\n    return {{'r': {returns}}}"
    )
    return node(node_id, "code", code=code, code_language="python3", variables=variables(i=item),
                outputs={"r": {"type": kind, "children": None}}, **data)  # fmt: skip


def _job(nodes: list[Json], *edges: tuple[str, ...], items: Any = None, **inputs: Any) -> Job:
    fields = [{"variable": name, "label": name, "type": "number"} for name in inputs]
    environment = [] if items is None else [{"name": "items", "value": items}]
    return Job(graph([start(*fields), *nodes], *edges), inputs, environment=environment)


def _each(items: list[Any], **data: Any) -> Job:
    inside = template("t", "{{ x }}@{{ i }}", x=["it", "item"], i=["it", "index"])
    nodes = [*iteration("it", ["env", "items"], ["t", "output"], inside, **data), end(r=["it", "output"])]
    return _job(nodes, ("start", "it"), ("itstart", "t"), ("it", "end"), items=items)


def _lists(flatten: bool, returns: str = "[str(i), str(i)]", kind: str = "array[string]", **data: Any) -> Job:
    inside = brittle("c", ["it", "item"], returns, kind)
    nodes = [*iteration("it", ["env", "items"], ["c", "r"], inside, flatten_output=flatten, **data),
             end(r=["it", "output"])]  # fmt: skip
    return _job(nodes, ("start", "it"), ("itstart", "c"), ("it", "end"), items=["a", "c"])


def _failing(mode: str, **data: Any) -> Job:
    nodes = [
        *iteration(
            "it", ["env", "items"], ["c", "r"], brittle("c", ["it", "item"]), error_handle_mode=mode, **data
        ),
        end(r=["it", "output"]),
    ]
    return _job(nodes, ("start", "it"), ("itstart", "c"), ("it", "end"), items=["a", "b", "c"])


def _failing_with_strategy(strategy: str, mode: str) -> Job:
    """The failure of an iteration, handled by its own error strategy."""
    data: Json = {"error_strategy": strategy, "error_handle_mode": mode}
    if strategy == "default-value":
        data["default_value"] = [{"key": "output", "type": "array[string]", "value": '["d"]'}]
    nodes = [*iteration("it", ["env", "items"], ["c", "r"], brittle("c", ["it", "item"]), **data),
             template("bad", "bad"), end(r=["it", "output"], b=["bad", "output"])]  # fmt: skip
    edges: list[tuple[str, ...]] = [("start", "it"), ("itstart", "c"), ("bad", "end")]
    if strategy == "fail-branch":
        edges += [("it", "end", "success-branch"), ("it", "bad", "fail-branch")]
    else:
        edges += [("it", "bad")]
    return _job(nodes, *edges, items=["a", "b"])


def _inner_strategy() -> Job:
    inside = [
        brittle("c", ["it", "item"], error_strategy="fail-branch"),
        template("ok", "ok {{ r }}", r=["c", "r"]),
        template("bad", "bad"),
        node(
            "agg",
            "variable-aggregator",
            output_type="string",
            variables=[["ok", "output"], ["bad", "output"]],
        ),
    ]
    nodes = [*iteration("it", ["env", "items"], ["agg", "output"], *inside), end(r=["it", "output"])]
    return _job(
        nodes,
        ("start", "it"),
        ("itstart", "c"),
        ("c", "ok", "success-branch"),
        ("c", "bad", "fail-branch"),
        ("ok", "agg"),
        ("bad", "agg"),
        ("it", "end"),
        items=["a", "b", "c"],
    )


def _branches_inside(output: list[str]) -> Job:
    inside = [if_else("c", case("two", condition(["it", "item"], "=", "2"))), template("t", "two"),
              template("u", "other {{ x }}", x=["it", "item"])]  # fmt: skip
    nodes = [*iteration("it", ["env", "items"], output, *inside), end(r=["it", "output"])]
    return _job(
        nodes,
        ("start", "it"),
        ("itstart", "c"),
        ("c", "t", "two"),
        ("c", "u", "false"),
        ("it", "end"),
        items=[1, 2, 3],
    )


def _nested_iterations() -> Job:
    inner = iteration("in", ["out", "item"], ["t", "output"],
                      template("t", "{{ a }}{{ o }}", a=["in", "item"], o=["out", "index"]))  # fmt: skip
    nodes = [*iteration("out", ["env", "items"], ["in", "output"], *inner), end(r=["out", "output"])]
    return _job(
        nodes,
        ("start", "out"),
        ("outstart", "in"),
        ("instart", "t"),
        ("out", "end"),
        items=[["a", "b"], ["c"]],
    )


def add(node_id: str, target: list[str], value: Any = 1, operation: str = "+=") -> Json:
    """An assigner that adds to a variable."""
    item = {"variable_selector": target, "input_type": "constant", "operation": operation, "value": value}
    return node(node_id, "assigner", version="2", items=[item])


def _counting(until: int, count: int = 10, **data: Any) -> Job:
    inside = add("plus", ["lo", "n"])
    nodes = [
        *loop("lo", count, inside, loop_variables=[loop_variable("n", "number", 0)],
              break_conditions=[condition(["lo", "n"], "≥", str(until))], **data),
        end(n=["lo", "n"], rounds=["lo", "loop_round"]),
    ]  # fmt: skip
    return _job(nodes, ("start", "lo"), ("lostart", "plus"), ("lo", "end"))


def _loop_end() -> Job:
    inside = [add("plus", ["lo", "n"]), if_else("c", case("y", condition(["lo", "n"], "≥", "3"))),
              node("stop", "loop-end"), template("t", "{{ n }}", n=["lo", "n"])]  # fmt: skip
    nodes = [
        *loop("lo", 9, *inside, loop_variables=[loop_variable("n", "number", 0)]),
        end(n=["lo", "n"], t=["t", "output"]),
    ]
    return _job(
        nodes,
        ("start", "lo"),
        ("lostart", "plus"),
        ("plus", "c"),
        ("c", "stop", "y"),
        ("c", "t", "false"),
        ("lo", "end"),
    )


def _loop_variables() -> Job:
    given = [
        loop_variable("s", "string", "x"),
        loop_variable("n", "number", "1.5"),
        loop_variable("v", "number", ["start", "n"]),
        loop_variable("l", "array[string]", '["a"]'),
        loop_variable("o", "object", '{"a": 1}'),
        loop_variable("f", "boolean", True),
    ]
    inside = template("t", "{{ s }}{{ v }}{{ l }}", s=["lo", "s"], v=["lo", "v"], l=["lo", "l"])
    nodes = [*loop("lo", 2, inside, loop_variables=given),
             end(**{name: ["lo", name] for name in "snvlof"}, t=["t", "output"])]  # fmt: skip
    return _job(nodes, ("start", "lo"), ("lostart", "t"), ("lo", "end"), n=7)


def _failing_loop(**data: Any) -> Job:
    inside = [add("plus", ["lo", "n"]), brittle("c", ["lo", "n"])]
    nodes = [
        *loop("lo", 4, *inside, loop_variables=[loop_variable("n", "number", 0)], **data),
        end(n=["lo", "n"]),
    ]
    return _job(nodes, ("start", "lo"), ("lostart", "plus"), ("plus", "c"), ("lo", "end"))


def _loop_in_iteration() -> Job:
    inner = loop(
        "lo",
        5,
        add("plus", ["lo", "n"]),
        loop_variables=[loop_variable("n", "number", ["it", "item"])],
        break_conditions=[condition(["lo", "n"], "≥", "3")],
    )
    nodes = [*iteration("it", ["env", "items"], ["lo", "n"], *inner), end(r=["it", "output"])]
    return _job(
        nodes, ("start", "it"), ("itstart", "lo"), ("lostart", "plus"), ("it", "end"), items=[0, 1, 5]
    )


def _iteration_in_loop() -> Job:
    inner = iteration("it", ["env", "items"], ["t", "output"],
                      template("t", "{{ x }}{{ n }}", x=["it", "item"], n=["lo", "n"]))  # fmt: skip
    nodes = [
        *loop("lo", 2, *inner, add("plus", ["lo", "n"]), loop_variables=[loop_variable("n", "number", 0)]),
        end(n=["lo", "n"], r=["it", "output"]),
    ]
    edges = (("start", "lo"), ("lostart", "it"), ("itstart", "t"), ("it", "plus"), ("lo", "end"))
    return _job(nodes, *edges, items=["a", "b"])


def _not_a_list() -> Job:
    nodes = [*iteration("it", ["start", "n"], ["t", "output"], template("t", "x")), end(r=["it", "output"])]
    return _job(nodes, ("start", "it"), ("itstart", "t"), ("it", "end"), n=3)


def _missing_list() -> Job:
    nodes = [*iteration("it", ["start", "x"], ["t", "output"], template("t", "x")), end(r=["it", "output"])]
    return _job(nodes, ("start", "it"), ("itstart", "t"), ("it", "end"))


CASES: dict[str, Job] = {
    **{f"each of {name}": _each(items) for name, items in _LISTS.items()},
    **{
        f"each of {name}, in parallel": _each(items, is_parallel=True, parallel_nums=2)
        for name, items in _LISTS.items()
    },
    **{f"lists, flatten {flatten}": _lists(flatten) for flatten in (True, False)},
    "lists of objects, flatten": _lists(True, "[{'a': 1}]", "array[object]"),
    "some lists are empty": _lists(True, "[] if i == 'a' else ['x']"),
    **{
        f"a round fails, {mode}{', parallel' if parallel else ''}": _failing(
            mode, is_parallel=parallel, parallel_nums=2
        )
        for mode in ("terminated", "continue-on-error", "remove-abnormal-output")
        for parallel in (False, True)
    },
    **{
        f"an iteration fails, {strategy}, {mode}": _failing_with_strategy(strategy, mode)
        for strategy in ("fail-branch", "default-value")
        for mode in ("terminated", "continue-on-error")
    },
    "a node inside has an error strategy": _inner_strategy(),
    "branches inside, one is put out": _branches_inside(["t", "output"]),
    "branches inside, another is put out": _branches_inside(["u", "output"]),
    "the item is put out": _branches_inside(["it", "item"]),
    "nested iterations": _nested_iterations(),
    "no list": _not_a_list(),
    "a list that is missing": _missing_list(),
    **{f"counting until {until}": _counting(until) for until in (0, 1, 3, 99)},
    "counting to the limit": _counting(99, 2),
    "loop-end": _loop_end(),
    "loop variables": _loop_variables(),
    "a loop fails": _failing_loop(),
    "a loop fails, fail-branch": _failing_loop(
        error_strategy="default-value", default_value=[{"key": "n", "type": "number", "value": "9"}]
    ),
    "a loop in an iteration": _loop_in_iteration(),
    "an iteration in a loop": _iteration_in_loop(),
}
