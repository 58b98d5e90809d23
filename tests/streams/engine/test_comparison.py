"""Every operator, with the coercions of Dify and its errors."""

from typing import Any

import pytest

from schemas.nodes.if_else import OPERATORS as DECLARED
from streams.engine.comparison import OPERATORS

HOLDS = [
    ("contains", "hello", "ell"), ("contains", "a1", 1), ("contains", ["a", "b"], "b"),
    ("not contains", "hello", "x"), ("not contains", "", "x"), ("not contains", None, "x"),
    ("not contains", [1, 2], "1"),
    ("start with", "hello", "he"), ("end with", "hello", "lo"),
    ("is", "a", "a"), ("is", "", ""), ("is", True, True), ("is not", "a", "b"), ("is not", False, True),
    ("empty", "", None), ("empty", [], None), ("empty", {}, None), ("empty", None, None), ("empty", 0, None),
    ("not empty", "x", None), ("not empty", [0], None), ("not empty", 1, None),
    ("in", "a", ["a", "b"]), ("not in", "c", ["a", "b"]), ("not in", "", ["a"]),
    ("all of", ["a", "b", "c"], ["a", "b"]), ("all of", "abc", ["a", "b"]), ("all of", [True, False], [True]),
    ("=", 1, "1"), ("=", 1, 1), ("=", 1.5, "1.5"), ("=", 2.0, "2"), ("=", True, True), ("=", False, False),
    ("=", 1, 1.9),
    ("≠", 1, "2"), ("≠", 1.5, "1.6"), ("≠", True, False),
    (">", 2, "1"), (">", 2, "1.5"), (">", 1.5, "1"), (">", 10**18 + 1, str(10**18)), (">", True, False),
    ("<", 1, "2"), ("<", -1.5, "-1"), ("≥", 1, "1"), ("≥", 2, 1), ("≤", 1, "1.0"), ("≤", 1.0, "1"),
    ("null", None, None), ("not null", "", None), ("not null", 0, None),
    ("exists", "", None), ("exists", {}, None), ("not exists", None, None),
]  # fmt: skip

DOES_NOT_HOLD = [
    ("contains", "hello", "x"), ("contains", "", "x"), ("contains", None, "x"), ("contains", [], "x"),
    ("contains", [1], "1"), ("not contains", "hello", "ell"), ("not contains", ["a"], "a"),
    ("start with", "hello", "lo"), ("start with", None, "x"), ("end with", "", "x"),
    ("end with", "hello", "he"),
    ("is", "a", "A"), ("is", None, "a"), ("is", "true", True), ("is not", None, "a"), ("is not", "a", "a"),
    ("empty", "x", None), ("empty", [None], None), ("not empty", "", None), ("not empty", None, None),
    ("in", "c", ["a"]), ("in", "", [""]), ("in", None, ["a"]), ("not in", "a", ["a"]),
    ("all of", ["a"], ["a", "b"]), ("all of", [], ["a"]), ("all of", None, ["a"]), ("all of", 5, ["a"]),
    ("=", 1, "2"), ("=", None, "1"), ("=", True, False), ("≠", 1, "1"), ("≠", None, "1"),
    (">", 1, "1"), (">", None, "1"), ("<", 1, "1"), ("≥", 1, "2"), ("≥", None, "1"), ("≤", 2, "1"),
    ("null", "", None), ("null", 0, None), ("not null", None, None),
    ("exists", None, None), ("not exists", "", None),
]  # fmt: skip

DOES_NOT_COMPARE = [
    ("contains", 5, "5"), ("contains", {"a": 1}, "a"), ("not contains", 5, "5"),
    ("start with", 5, "5"), ("start with", "5", 5), ("end with", ["a"], "a"),
    ("is", 5, "5"), ("is", ["a"], "a"), ("is not", 5, "5"),
    ("in", "a", "abc"), ("not in", "a", None), ("all of", ["a"], "a"), ("all of", ["a"], ["a", True]),
    ("all of", ["a"], [1]),
    ("=", "1", "1"), ("=", 1, "1.5"), ("=", 1, "x"), ("=", 1, None), ("≠", "1", "1"), ("≠", 1.0, ["1"]),
    (">", "2", "1"), (">", 2, "x"), (">", 2, None), ("<", [1], "1"), ("≥", "a", 1), ("≤", {}, 1),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "actual", "expected"), HOLDS)
def test_holds(operator: str, actual: Any, expected: Any) -> None:
    assert OPERATORS[operator](actual, expected) is True


@pytest.mark.parametrize(("operator", "actual", "expected"), DOES_NOT_HOLD)
def test_does_not_hold(operator: str, actual: Any, expected: Any) -> None:
    assert OPERATORS[operator](actual, expected) is False


@pytest.mark.parametrize(("operator", "actual", "expected"), DOES_NOT_COMPARE)
def test_does_not_compare(operator: str, actual: Any, expected: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        OPERATORS[operator](actual, expected)


def test_every_operator_that_a_graph_may_name_is_there_and_tried() -> None:
    assert set(OPERATORS) == set(DECLARED) == {operator for operator, *_ in HOLDS}
