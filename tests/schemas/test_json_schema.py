"""Schemas of tenants over values of strangers: everything wrong is named, and nothing takes long."""

from typing import Any

import orjson
import pytest

from schemas.json_schema import MAX_MISFITS, MAX_SUBSCHEMAS, Misfit, Schema

SMALL, LARGE = 100, 10**6


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few lines that takes 2^levels steps."""
    definitions: dict[str, Any] = {"d0": {"type": "integer"}}
    for level in range(1, levels + 1):
        definitions[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 2}
    return {"$defs": definitions, "$ref": f"#/$defs/d{levels}"}


def test_everything_wrong_is_named() -> None:
    schema = Schema(
        {
            "type": "object",
            "required": ["id"],
            "properties": {
                "amount": {"type": "number", "minimum": 0},
                "items": {"type": "array", "items": {"properties": {"sku": {"pattern": "^[A-Z]+$"}}}},
                "mail": {"format": "email"},
            },
        }
    )
    assert (
        schema.misfits({"id": 1, "amount": 2.5, "items": [{"sku": "A"}], "mail": "a@example.com"}, SMALL)
        == []
    )
    wrong = {"amount": "2", "items": [{"sku": "A"}, {"sku": "b"}], "mail": "nobody"}
    found = schema.misfits(wrong, SMALL)
    assert {one.path for one in found} == {(), ("amount",), ("items", 1, "sku"), ("mail",)}
    assert Misfit((), '"id" is a required property') in found
    assert "nobody" not in str(found), "what was sent is not repeated"
    assert len(schema.misfits(wrong, LARGE)) == 1


def test_a_flood_of_errors_is_cut_off() -> None:
    schema = Schema({"items": {"type": "string"}})
    assert len(schema.misfits([0] * 1000, SMALL)) == MAX_MISFITS


def test_the_draft_is_the_one_that_the_schema_names() -> None:
    tuples = {"items": [{"type": "integer"}], "additionalItems": False}
    draft7 = Schema({"$schema": "http://json-schema.org/draft-07/schema#", **tuples})
    assert len(draft7.misfits(["a", 1], SMALL)) == 2


def test_a_reference_within_the_schema_is_followed() -> None:
    schema = Schema({"$defs": {"a/b ü": {"type": "integer"}}, "items": {"$ref": "#/$defs/a~1b%20%C3%BC"}})
    assert [one.path for one in schema.misfits([1, "a"], SMALL)] == [(1,)]


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = Schema({"properties": {"$ref": {"type": "string"}, "$id": {"type": "integer"}}})
    assert [one.path for one in schema.misfits({"$ref": "a", "$id": "b"}, SMALL)] == [("$id",)]


def test_what_is_no_text_is_refused() -> None:
    assert Schema({"type": "string"}).misfits("\udcff", SMALL) == [
        Misfit((), "it has bytes that are no text")
    ]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"type": "text"}, "type: "),
        ({"$schema": "https://example.com/mine"}, "meta-schema"),
        ({"$ref": "https://example.com/schema"}, "only #/"),
        ({"$ref": "other.json"}, "only #/"),
        ({"$ref": "#/$defs/absent"}, "leads nowhere"),
        ({"$defs": {"tree": {"items": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"}, "recursive"),
        ({"items": {"$ref": "#"}}, "recursive"),
        ({"items": {"$dynamicRef": "#node"}}, "use \\$ref"),
        ({"items": {"$id": "https://example.com/part", "type": "string"}}, "as a whole"),
        (doubling(30), f"more than {MAX_SUBSCHEMAS} parts"),
        ({"enum": ["x" * 70_000]}, "at most 65536"),
        ({"pattern": "("}, "regex"),
        ({"pattern": "(a{1000}){1000}"}, "regex"),
        ({"pattern": "(a+)+(?=b)"}, "regex"),
    ],
)
def test_what_is_no_schema_or_too_much(document: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Schema(document)


def test_a_schema_that_is_nested_too_deeply() -> None:
    document: dict[str, Any] = {}
    for _ in range(300):
        document = {"items": document}
    with pytest.raises(ValueError, match="nested too deeply"):
        Schema(document)


@pytest.mark.parametrize(
    "document", [{"const": [1]}, {"items": {"items": {"type": "string"}}}, {"type": "object"}]
)
def test_a_value_that_is_nested_deeply_is_held_against_the_schema_or_refused(
    document: dict[str, Any],
) -> None:
    for levels in (200, 250, 300, 1000):
        value = orjson.loads("[" * levels + "]" * levels)
        assert Schema(document).misfits(value, SMALL)


def test_patterns_take_linear_time() -> None:
    """With an engine that goes back, these 30 characters alone would take a minute."""
    assert Schema({"pattern": "^(a+)+$"}).misfits("a" * 100_000 + "b", SMALL)
