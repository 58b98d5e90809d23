"""Types of variables: what values are brought to, what is refused, what is inferred."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.variables import ValueType, coerce, infer, zero

FILE = {"dify_model_identity": FILE_IDENTITY, "type": "image"}


@pytest.mark.parametrize(
    ("type_", "value", "coerced"),
    [
        ("string", "a", "a"),
        ("string", 5, "5"),
        ("string", None, ""),
        ("secret", 5, "5"),
        ("number", 5, 5),
        ("number", 5.5, 5.5),
        ("number", "5", 5),
        ("number", "5.0", 5.0),
        ("number", True, 1),
        ("number", None, 0),
        ("integer", 5.0, 5),
        ("float", 5, 5.0),
        ("boolean", True, True),
        ("boolean", "False", False),
        ("boolean", 1, True),
        ("object", {"a": 1}, {"a": 1}),
        ("object", '{"a": 1}', {"a": 1}),
        ("object", None, {}),
        ("file", FILE, FILE),
        ("file", None, None),
        ("array[string]", ["a", 5], ["a", "5"]),
        ("array[number]", "[1, 2.5]", [1, 2.5]),
        ("array[boolean]", [True, 0], [True, False]),
        ("array[object]", [{}], [{}]),
        ("array[any]", [1, None, "a"], [1, None, "a"]),
        ("array[file]", None, []),
    ],
)
def test_values_are_brought_to_their_type(type_: str, value: Any, coerced: Any) -> None:
    found = coerce(ValueType(type_), value)
    assert found == coerced
    assert type(found) is type(coerced)


@pytest.mark.parametrize(
    ("type_", "value", "why"),
    [
        ("string", [1], r"must be a text, is \[1\]"),
        ("secret", ["hush"], "^must be a text$"),
        ("number", "five", "must be a number, is 'five'"),
        ("number", [], "must be a number"),
        ("number", float("inf"), "must be a finite number"),
        ("number", 2**63, "at most 64 bits"),
        ("number", "9" * 400, "at most 64 bits"),
        ("integer", 5.5, "must be an integer, is 5.5"),
        ("boolean", "yes", "must be true or false, is 'yes'"),
        ("boolean", 2, "must be true or false"),
        ("object", "[1]", "must be an object"),
        ("file", "x", "must be a file"),
        ("array[string]", "a", "must be a list, is 'a'"),
        ("array[number]", [1, "x"], "has an item at position 1 that must be a number"),
        ("array[object]", [None], "has null at position 0"),
        ("string", ["x" * 100], r"\.\.\.$"),
    ],
)
def test_what_does_not_fit_is_refused(type_: str, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        coerce(ValueType(type_), value)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        ("a", "string"),
        (True, "boolean"),
        (1, "number"),
        (1.5, "number"),
        ({}, "object"),
        (FILE, "file"),
        ([], "array[any]"),
        (["a"], "array[string]"),
        ([1, 1.5], "array[number]"),
        ([True], "array[boolean]"),
        ([True, 1], "array[any]"),
        ([FILE], "array[file]"),
        ([{}], "array[object]"),
        ([{}, FILE], "array[any]"),
        ([["a"]], "array[any]"),
        ([None], "array[any]"),
    ],
)
def test_types_are_inferred_as_in_dify(value: Any, type_: str) -> None:
    assert infer(value) == ValueType(type_)


def test_null_has_no_type() -> None:
    assert infer(None) is None


@pytest.mark.parametrize("type_", [type_ for type_ in ValueType if type_ is not ValueType.FILE])
def test_the_zero_of_a_type_belongs_to_it(type_: ValueType) -> None:
    assert coerce(type_, zero(type_)) == zero(type_)
