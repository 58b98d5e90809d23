"""if-else: every operator on every type of value that it takes, and on some that it does not."""

from functools import partial
from typing import Any

from schemas.models import WorkflowType
from tests.differential.cases.build import probe as _probe
from tests.differential.job import Job
from tests.graphs import answer, case, condition, end, graph, if_else, start, template

probe = partial(_probe, handles=("yes", "false"))

_TEXT = "a needle in hay"

_COMPARISONS: list[tuple[Any, str, Any]] = [
    (_TEXT, "contains", "needle"), (_TEXT, "contains", "Needle"), (_TEXT, "contains", ""),
    (["a", "b"], "contains", "b"), (["a", "b"], "contains", "c"), ([1, 2], "contains", "1"),
    ([], "contains", "x"), ("", "contains", "x"),
    (_TEXT, "not contains", "needle"), (["a"], "not contains", "b"), ([1], "not contains", "1"),
    ("", "not contains", "x"), ([], "not contains", "x"),
    (_TEXT, "start with", "a n"), (_TEXT, "start with", "x"), ("", "start with", "x"),
    (_TEXT, "end with", "hay"), (_TEXT, "end with", "x"),
    ("x", "is", "x"), ("x", "is", "X"), ("", "is", ""), (5, "is", "5"), (5.5, "is", "5.5"),
    (True, "is", "true"), (True, "is", True), (False, "is", "false"), (True, "is", "1"), (True, "is", False),
    ("x", "is not", "y"), ("x", "is not", "x"), (True, "is not", "false"), (True, "is not", True),
    (5, "is not", "5"), ("", "is not", "x"),
    ("", "empty", None), ("x", "empty", None), (" ", "empty", ""), (0, "empty", None), ([], "empty", None),
    ({}, "empty", None), ({"a": 1}, "empty", None), (False, "empty", None), ([0], "empty", ""),
    ("", "not empty", None), ("x", "not empty", None), (0, "not empty", None), ([], "not empty", None),
    ({"a": 1}, "not empty", None), (False, "not empty", None),
    ("b", "in", "abc"), ("b", "in", ["a", "b"]), ("x", "in", ["a", "b"]), ("", "in", ["a"]), (1, "in", ["1"]),
    ("b", "not in", ["a"]), ("a", "not in", ["a"]), ("", "not in", ["a"]),
    (["a", "b"], "all of", ["a"]), (["a"], "all of", ["a", "b"]), (["a", "b"], "all of", ["b", "a"]),
    (5, "=", "5"), (5.0, "=", "5"), (5, "=", "5.0"), (5.5, "=", "5.5"), (0, "=", "0"),
    ("5", "=", "5"), (True, "=", "1"), (True, "=", True), (5, "=", "x"), (5, "=", ""), (5, "=", None),
    (5, "≠", "5"), (5, "≠", "6"), (5.5, "≠", "5"), (True, "≠", True), ("5", "≠", "5"),
    (6, ">", "5"), (5, ">", "5"), (5.1, ">", "5"), (5, ">", "4.9"), ("6", ">", "5"), (5, ">", "x"),
    (0, ">", "-1"),
    (4, "<", "5"), (5, "<", "5"), (4.9, "<", "5"), (5, "<", "5.1"), (True, "<", "2"),
    (5, "≥", "5"), (4, "≥", "5"), (5.0, "≥", "5"), (5, "≤", "5"), (6, "≤", "5"), (5, "≤", "5.5"),
    ("", "null", None), ("x", "null", None), (0, "null", None), ("x", "not null", None),
    (0, "not null", None),
    (["a"], "not null", None), ("x", "exists", None), ("x", "not exists", None), ([], "exists", None),
    ({"a": 1}, "contains", "a"), ({"a": 1}, "is", "a"), (["a"], "is", "a"), (["a"], "start with", "a"),
    (5, "contains", "5"), (5, "start with", "5"), ("x", "=", ["x"]), ("x", "contains", ["x"]),
    ("x", "is", ["x"]), ("x", ">", None), ([1, 2], "=", "2"), ([True], "contains", True),
    ([True], "contains", "true"),
    ([1.5, 2], "contains", "1.5"), ({"a": 1}, "not null", None), (["a", "b"], "not contains", ["a"]),
]  # fmt: skip


def _comparison(value: Any, operator: str, expected: Any) -> Job:
    source = "env" if isinstance(value, list) else "start"
    cases = [case("yes", condition([source, "v"], operator, expected))]
    return probe("if-else", ["result", "selected_case_id"], {"cases": cases}, v=value)


def _missing(operator: str) -> Job:
    cases = [case("yes", condition(["start", "nothing"], operator, "x"))]
    return probe("if-else", ["result"], {"cases": cases})


def _branches(n: int) -> Job:
    big, small = condition(["start", "n"], ">", "10"), condition(["start", "n"], "<", "0")
    even = condition(["start", "n"], "=", "4")
    made = graph(
        [
            start({"variable": "n", "label": "n", "type": "number"}),
            if_else("c", case("big", big), case("either", small, even, logical="or")),
            template("t1", "big"), template("t2", "either"), template("t3", "else"),
            end("e1", x=["t1", "output"]), end("e2", x=["t2", "output"]), end("e3", x=["t3", "output"]),
        ],
        ("start", "c"), ("c", "t1", "big"), ("c", "t2", "either"), ("c", "t3", "false"),
        ("t1", "e1"), ("t2", "e2"), ("t3", "e3"),
    )  # fmt: skip
    return Job(made, {"n": n})


def _old_form() -> Job:
    data = {
        "logical_operator": "or",
        "conditions": [condition(["start", "v"], "is", "a"), condition(["start", "v"], "is", "b")],
    }
    return _probe("if-else", ["result", "selected_case_id"], data, handles=("true", "false"), v="b")


def _variable_as_value() -> Job:
    cases = [case("yes", condition(["start", "a"], "is", "{{#start.b#}}"))]
    return probe("if-else", ["result"], {"cases": cases}, a="x", b="x")


def _system() -> Job:
    made = graph(
        [start(), if_else("c", case("hi", condition(["sys", "query"], "contains", "hi"))),
         answer("a", "hello {{#sys.query#}}"), answer("b", "what?")],
        ("start", "c"), ("c", "a", "hi"), ("c", "b", "false"),
    )  # fmt: skip
    return Job(made, type=WorkflowType.CHAT, query="oh hi")


CASES: dict[str, Job] = {
    **{
        f"{value!r} {op} {expected!r}": _comparison(value, op, expected)
        for value, op, expected in _COMPARISONS
    },
    **{
        f"missing {op}": _missing(op)
        for op in ("contains", "is", "empty", "not empty", "null", "not null", "exists", "not exists", "=")
    },
    **{f"branches for {n}": _branches(n) for n in (11, 4, -1, 5)},
    "old form": _old_form(),
    "a variable as value": _variable_as_value(),
    "system variables": _system(),
    "no conditions": probe("if-else", ["result", "selected_case_id"], {"cases": [case("yes")]}),
    "no cases": _probe("if-else", ["result"], {"cases": []}, handles=("false",)),
}
