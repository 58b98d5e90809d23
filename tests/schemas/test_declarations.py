"""Declared variables: brought to their types at import, and refused by name."""

from typing import Any

import pytest

from schemas.declarations import CONVERSATION, ENVIRONMENT, read_declarations


def declared(**variable: Any) -> dict[str, Any]:
    return {"id": "1", "name": "v", "description": "", **variable}


@pytest.mark.parametrize(
    ("variable", "type_", "value"),
    [
        ({"value_type": "number", "value": "5"}, "number", 5),
        ({"value_type": "string", "value": None}, "string", ""),
        ({"value_type": "array[object]", "value": '[{"a": 1}]'}, "array[object]", [{"a": 1}]),
        ({"value_type": "boolean", "value": "true"}, "boolean", True),
        ({"value_type": "secret", "value": ""}, "secret", ""),
        ({"value": [1]}, "array[number]", [1]),
        ({"value": None}, "string", ""),
    ],
)
def test_values_get_their_types(variable: dict[str, Any], type_: str, value: Any) -> None:
    found = read_declarations([declared(**variable)], ENVIRONMENT)
    assert found == ([declared(value_type=type_, value=value)], [])


def test_a_secret_without_a_value_keeps_having_none() -> None:
    secret = declared(value_type="secret")
    assert read_declarations([secret], ENVIRONMENT).variables == [secret]


@pytest.mark.parametrize("given", [None, []])
def test_there_may_be_none(given: Any) -> None:
    assert read_declarations(given, CONVERSATION) == ([], [])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"a": 1}, "conversation_variables: must be a list"),
        (["x"], "conversation_variables.0: must be an object with a name"),
        ([{"name": ""}], "conversation_variables.0: must be an object with a name"),
        ([declared(value_type="number", value="five")], "conversation_variables.0: v must be a number"),
        ([declared(value_type="text", value="x")], "conversation_variables.0: v has the type 'text'"),
        ([declared(value_type="secret", value="x")], "conversation_variables.0: v is a secret"),
        ([declared(value="x"), declared(value="y")], "conversation_variables: 'v' is there several times"),
    ],
)
def test_what_is_wrong_is_named(given: Any, problem: str) -> None:
    (found,) = read_declarations(given, CONVERSATION).problems
    assert str(found).startswith(problem)
