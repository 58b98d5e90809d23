"""References to values that are elsewhere."""

from typing import Any

import orjson
import pytest

from schemas.references import (
    as_document,
    digest_of,
    document_digest,
    is_reference,
    may_have_references,
    reference,
    references_in,
    resolved,
)


def test_a_reference_tells_what_it_stands_for() -> None:
    one = reference(b'"abc"', "abc")
    assert one == {"__hopline_ref__": digest_of(b'"abc"'), "size": 5, "summary": "abc"}
    assert is_reference(one)


@pytest.mark.parametrize(
    "value",
    [None, "x", {}, {"__hopline_ref__": 1}, {"__hopline_ref__": "../../a"}, {"__hopline_ref__": "A" * 64}],
)
def test_what_is_none(value: Any) -> None:
    assert not is_reference(value)


def test_references_are_found_and_resolved_anywhere() -> None:
    one, two = reference(b"1", 1), reference(b"2", 2)
    value = {"a": one, "b": [two, {"c": one}], "d": "text"}
    assert [found["size"] for found in references_in(value)] == [1, 1, 1]
    values = {digest_of(b"1"): "ONE"}
    assert resolved(value, values) == {"a": "ONE", "b": [two, {"c": "ONE"}], "d": "text"}
    assert may_have_references(orjson.dumps(value))
    assert not may_have_references(orjson.dumps({"a": 1}))


def test_a_document_may_be_elsewhere_as_a_whole() -> None:
    assert document_digest(as_document(b'{"a": 1}')) == digest_of(b'{"a": 1}')
    assert document_digest('{"a": 1}') is None
    assert document_digest(orjson.dumps({"a": reference(b"1", 1)})) is None
