"""The rules for declared outputs, as Dify has them."""

from typing import Any

import pytest

from streams.executors.code_outputs import (
    CodeNodeError,
    Declaration,
    DepthLimitError,
    OutputValidationError,
    check_outputs,
)
from streams.executors.settings import OutputLimits

LIMITS = OutputLimits(max_string_length=10, max_string_array_length=2, max_object_array_length=2, max_depth=3)


def check(value: Any, kind: str, children: Declaration | None = None) -> Any:
    return check_outputs({"x": value}, {"x": {"type": kind, "children": children}}, LIMITS)["x"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("text", "string", "text"),
        ("a\x00b", "string", "ab"),
        (None, "string", None),
        (1, "number", 1),
        (1.5, "number", 1.5),
        (True, "number", 1),
        (None, "number", None),
        (True, "boolean", True),
        (0, "boolean", 0),
        ({"a": 1}, "object", {"a": 1}),
        (None, "object", None),
        (["a", None], "array[string]", ["a", None]),
        ([], "array[string]", []),
        ([1, 2.5, True], "array[number]", [1, 2.5, 1]),
        ([True, None], "array[boolean]", [True, None]),
        ([{"a": 1}, None], "array[object]", [{"a": 1}, None]),
        (None, "array[object]", None),
    ],
)
def test_accepts(value: Any, kind: str, expected: Any) -> None:
    checked = check(value, kind)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("value", "kind", "error"),
    [
        (1, "string", "Output x must be a string, got int instead."),
        ("1", "number", "Output x is not a number, got <class 'str'> instead."),
        ([], "object", "Output x is not an object, got <class 'list'> instead."),
        ({}, "array[string]", "Output x is not an array, got <class 'dict'> instead."),
        (["a", 1], "array[string]", "Output x[1] must be a string, got int instead."),
        ([1, None], "array[number]", "The element at index 1 of output variable `x` must be a number."),
        ([1], "array[boolean]", "Output x[0] is not a boolean, got <class 'int'> instead."),
        ([1], "array[object]", "Output x[0] is not an object, got <class 'int'> instead."),
        ("x" * 11, "string", "The length of output variable `x` must be less than 10 characters"),
        (["a"] * 3, "array[string]", "The length of output variable `x` must be less than 2 elements."),
        ([{}] * 3, "array[object]", "The length of output variable `x` must be less than 2 elements."),
        ([1] * 1001, "array[number]", "The length of output variable `x` must be less than 1000 elements."),
        (2**63, "number", "Output variable `x` is out of range, it must be between -9223372036854775808"),
        (1e-30, "number", "Output variable `x` has too high precision, it must be less than 20 digits."),
        (
            {"a": ["b", 1]},
            "object",
            "Output x.a is not a valid array. make sure all elements are of the same",
        ),
        ({"a": "x" * 11}, "object", "The length of output variable `x.a` must be less than 10 characters"),
        ("any", "file", "Output type file is not supported."),
    ],
)
def test_refuses(value: Any, kind: str, error: str) -> None:
    with pytest.raises(OutputValidationError) as caught:
        check(value, kind)
    assert str(caught.value).startswith(error)


def test_children_are_checked_in_turn() -> None:
    children = {"a": {"type": "array[object]", "children": {"b": {"type": "number"}}}}
    assert check({"a": [{"b": True}]}, "object", children) == {"a": [{"b": 1}]}
    with pytest.raises(OutputValidationError, match=r"Output x\.a\[0\]\.b is missing\."):
        check({"a": [{}]}, "object", children)


def test_missing_and_extra_outputs_are_refused() -> None:
    declared = {"a": {"type": "string"}}
    with pytest.raises(OutputValidationError, match=r"Output a is missing\."):
        check_outputs({}, declared, LIMITS)
    with pytest.raises(CodeNodeError, match=r"Not all output parameters are validated\. Not declared: b"):
        check_outputs({"a": "", "b": 1}, declared, LIMITS)


def test_depth_is_bounded_in_objects_and_arrays() -> None:
    assert check({"a": {"b": 1}}, "object") == {"a": {"b": 1}}
    for too_deep in ({"a": {"b": {"c": 1}}}, {"a": [[[1]]]}):
        with pytest.raises(DepthLimitError, match="Depth limit 3 reached, object too deep"):
            check(too_deep, "object")
