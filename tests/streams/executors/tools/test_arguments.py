"""Arguments are brought to the types that a tool declares."""

from typing import Any

import pytest

from streams.executors.tools.arguments import fit_arguments
from streams.executors.tools.errors import ToolParameterError


def fit(schema: Any, value: Any) -> Any:
    return fit_arguments({"properties": {"x": schema}, "required": []}, {"x": value}).get("x")


@pytest.mark.parametrize(
    ("schema", "given", "fitted"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, " -5.0 ", -5),
        ({"type": "integer"}, 2.0, 2),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "number"}, "7", 7),
        ({"type": "boolean"}, "False", False),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, 0, False),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, 5, "5"),
        ({"type": "string"}, True, "true"),
        ({"type": "string"}, {"a": "ä"}, '{"a": "ä"}'),
        ({"type": "string", "format": "binary"}, {"filename": "a"}, {"filename": "a"}),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "array"}, "a", ["a"]),
        ({"type": "array", "items": {"type": "integer"}}, ["1", 2], [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
        ({"type": ["integer", "null"]}, "3", 3),
        ({"type": "integer"}, "", None),
        ({"type": "integer", "default": 9}, "", 9),
        ({"type": "integer", "default": 9}, None, 9),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "12", 12),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "twelve", "twelve"),
        ({"oneOf": [{"type": "array"}, {"type": "null"}]}, [1], [1]),
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"type": "string", "enum": ["a", "b"]}, "", None),
        ({"type": "string", "enum": ["a", "b"], "default": "a"}, "", "a"),
        ({"type": "string", "enum": ["a", ""], "default": "a"}, "", ""),
        ({"type": "integer", "enum": [1, 2]}, "2", 2),
    ],
)
def test_values_are_cast(schema: Any, given: Any, fitted: Any) -> None:
    result = fit(schema, given)
    assert result == fitted
    assert type(result) is type(fitted)


@pytest.mark.parametrize(
    ("schema", "given", "said"),
    [
        ({"type": "integer"}, "five", "parameter 'x' must be integer, is \"five\""),
        ({"type": "integer"}, 2.5, "must be integer, is 2.5"),
        ({"type": "number"}, "nan", "must be number"),
        ({"type": "number"}, True, "must be number, is true"),
        ({"type": "boolean"}, "perhaps", "must be boolean"),
        ({"type": "object"}, "[]", "must be object"),
        ({"type": "array", "items": {"type": "integer"}}, ["a"], "must be array"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "x", "must be one of several types"),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'must be one of a, b, is "c"'),
    ],
)
def test_what_does_not_fit_is_named(schema: Any, given: Any, said: str) -> None:
    with pytest.raises(ToolParameterError) as refused:
        fit(schema, given)
    assert said in str(refused.value)


def test_what_is_required_must_be_there() -> None:
    schema = {
        "properties": {"a": {"type": "string"}, "b": {"type": ["string", "null"]}},
        "required": ["a", "b"],
    }
    assert fit_arguments(schema, {"a": "", "b": None}) == {"a": "", "b": None}
    with pytest.raises(ToolParameterError, match="parameter 'a' is required, and has no value"):
        fit_arguments(schema, {"b": "x"})


def test_a_name_that_the_tool_does_not_know_is_left_out_unless_it_takes_any() -> None:
    schema = {"properties": {"a": {}}}
    assert fit_arguments(schema, {"a": 1, "z": 2}) == {"a": 1}
    assert fit_arguments({**schema, "additionalProperties": True}, {"a": 1, "z": 2}) == {"a": 1, "z": 2}
