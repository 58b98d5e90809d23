"""Schemas of draft 7 say the same as elsewhere, in bounded time."""

from typing import Any

import pytest
from jsonschema import Draft7Validator

from schemas.draft7 import misfit, schema_error, validator

DEEP: list[Any] = []
for _ in range(2_000):
    DEEP = [DEEP]

NODE = {"properties": {"next": {"$ref": "#"}, "n": {"type": "number"}}}
CASES: list[tuple[dict[str, Any], list[Any]]] = [
    ({"pattern": "^[a-z]+$"}, ["abc", "ABC", 5, None, {"a": 1}]),
    (
        {"patternProperties": {"^a": {"type": "number"}, "b$": {"minimum": 3}}},
        [{"a": 1}, {"a": "x"}, {"ab": 1}, 5],
    ),
    (
        {"properties": {"a": {}}, "patternProperties": {"^x-": {}}, "additionalProperties": False},
        [{"a": 1, "x-b": 2}, {"c": 1}, {"c": 1, "d": 1}, []],
    ),
    ({"properties": {"a": {}}, "additionalProperties": {"type": "number"}}, [{"a": "", "b": 1}, {"b": "x"}]),
    ({"additionalProperties": False}, [{}, {"a": 1}]),
    (NODE, [{"next": {"next": {"n": 1}}}, {"next": {"next": {"n": "x"}}}]),
    ({"definitions": {"d": {"type": "number"}}, "$ref": "#/definitions/d", "minimum": 9}, [5, "x"]),
    (
        {"uniqueItems": True},
        [
            [1, True, "1", 0, False, None],
            [{"a": [1]}, {"a": [1.0]}],
            [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
            [{}, []],
            [[1], [True]],
            [0, -0.0],
            {},
            [None, None],
        ],
    ),
    ({"uniqueItems": False}, [[1, 1]]),
    ({"items": [{}], "additionalItems": False}, [[1], [1, 2], 5]),
    ({"format": "email"}, ["no address"]),
]


@pytest.mark.parametrize(("schema", "value"), [(schema, one) for schema, values in CASES for one in values])
def test_as_elsewhere(schema: dict[str, Any], value: Any) -> None:
    found = misfit(validator(schema), value)
    expected = [(error.json_path, error.validator) for error in Draft7Validator(schema).iter_errors(value)]
    assert ([(found.json_path, found.validator)] if found else []) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a+)+$"},
        {"patternProperties": {"^(a+)+$": {}}},
        {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": {}},
        {"allOf": [{"$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^(a+)+$"}]},
    ],
)
def test_no_pattern_takes_long(schema: dict[str, Any]) -> None:
    text = "a" * 5_000 + "!"
    for value in (text, {text: 1}):
        misfit(validator(schema), value)


@pytest.mark.parametrize("items", [True, {}, {"type": "integer"}])
def test_items_that_all_have_one_schema_leave_none_over(items: Any) -> None:
    assert misfit(validator({"items": items, "additionalItems": False}), [1, 2]) is None


@pytest.mark.parametrize(
    ("schema", "value", "why"),
    [
        ({"multipleOf": 0.5}, 10**400, "too large"),
        (
            {"$ref": "http://127.0.0.1:1/x"},
            1,
            "refers to what cannot be found: Unresolvable: http://127.0.0.1:1/x",
        ),
        ({"uniqueItems": True}, [DEEP, DEEP], "nested too deep"),
    ],
    ids=["number", "reference", "value"],
)
def test_what_cannot_be_told_is_said(schema: Any, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        misfit(validator(schema), value)


def test_a_large_document_is_well_within_the_bounds() -> None:
    names = [f"name{number}" for number in range(8)]
    item = {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": names}
    value = [dict.fromkeys(names, "a text of some length")] * 5_000
    assert misfit(validator({"type": "array", "items": item}), value) is None


def test_many_objects_are_told_apart_in_little_time() -> None:
    assert misfit(validator({"uniqueItems": True}), [{"a": i} for i in range(50_000)]) is None


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"not": {"$ref": "#"}}, {"anyOf": [{"$ref": "#"}]}])
def test_references_that_lead_to_themselves_have_an_end(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="leads more than 100 keywords deep"):
        misfit(validator(schema), 1)


def test_a_tree_may_be_forty_levels_deep() -> None:
    tree: dict[str, Any] = {"n": "wrong"}
    for _ in range(40):
        tree = {"next": tree}
    found = misfit(validator(NODE), tree)
    assert found is not None
    assert len(found.path) == 41


def test_schemas_that_are_given_up_halfway_count_no_depth() -> None:
    each = {"not": {"properties": {"a": {"type": "string"}}}, "anyOf": [{"type": "object"}]}
    assert misfit(validator({"items": each}), [{"a": 1}] * 500) is None


def test_a_schema_that_is_nested_too_deep_is_none() -> None:
    schema: dict[str, Any] = {}
    for _ in range(200):
        schema = {"properties": {"a": schema}}
    assert schema_error(schema) == "its schema leads more than 100 keywords deep"


def test_references_that_multiply_have_an_end() -> None:
    twice = {f"d{i}": {"allOf": [{"$ref": f"#/definitions/d{i + 1}"}] * 2} for i in range(40)}
    with pytest.raises(ValueError, match="takes more than 900000 steps"):
        misfit(validator({"definitions": {**twice, "d40": {}}, "$ref": "#/definitions/d0"}), 1)


MANY = [{"const": -number} for number in range(1, 1001)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"anyOf": MANY}}, list(range(100_000))),
        ({"items": {"enum": list(range(-100_000, 0))}}, list(range(100_000))),
        ({"items": {"required": [f"a{number}" for number in range(10_000)]}}, [{}] * 100_000),
        (
            {"anyOf": [{"additionalProperties": one} for one in MANY]},
            dict.fromkeys(map(str, range(100_000)), 0),
        ),
        ({"allOf": [{"pattern": f"{number}$"} for number in range(2_000)]}, "a" * 1_000_000),
    ],
)
def test_what_would_take_minutes_is_refused(schema: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="takes more than 900000 steps"):
        misfit(validator(schema), value)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ([], "must be an object"),
        ({"type": "nothing"}, "at $.type"),
        ({"properties": {"a": {"items": [{"pattern": "(?=a)b"}]}}}, "is no regular expression as RE2"),
        ({"patternProperties": {"(?=a)b": {}}}, "is no regular expression as RE2"),
        ({"enum": [{"pattern": "(?=a)b"}], "properties": {"pattern": {"type": "string"}}}, None),
    ],
)
def test_what_is_no_schema(schema: Any, why: str | None) -> None:
    found = schema_error(schema)
    assert (why is None and found is None) or (why is not None and found is not None and why in found)
