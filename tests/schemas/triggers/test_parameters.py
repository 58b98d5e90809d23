"""What a request must bring, and in which types it is taken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from schemas.triggers.parameters import (
    Parameters,
    ParameterSchemas,
    RequiredParameters,
    Taken,
    Wrong,
    compile_parameters,
)


def parameters(required: dict[str, Any] | None = None, **schemas: Any) -> Parameters:
    wanted = RequiredParameters.model_validate(required or {})
    found = compile_parameters(wanted, ParameterSchemas.model_validate(schemas))
    assert found is not None
    return found


def properties(**types: Any) -> dict[str, Any]:
    return {"properties": {name: {"type": kind} for name, kind in types.items()}}


def take(of: Parameters, **given: Any) -> tuple[Taken, list[Wrong]]:
    request = {"query": {}, "headers": CIMultiDict(), "body": None, "size_bytes": 0, "is_form": False}
    return of.take(**{**request, **given})


def test_nothing_declared_is_nothing_to_do() -> None:
    assert compile_parameters(RequiredParameters(), ParameterSchemas()) is None


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "42", 42),
        ("integer", " -7 ", -7),
        ("integer", "1.5", "1.5"),
        ("integer", "٤", "٤"),
        ("integer", "9" * 5000, "9" * 5000),
        ("number", "1.5", 1.5),
        ("number", "3", 3),
        ("number", "1e3", 1000.0),
        ("number", "1e999", "1e999"),
        ("number", "nan", "nan"),
        ("number", "inf", "inf"),
        ("number", "1_000", "1_000"),
        ("boolean", "true", True),
        ("boolean", "NO", False),
        ("boolean", "0", False),
        ("boolean", "maybe", "maybe"),
        ("string", "42", "42"),
        (["integer", "string"], "42", "42"),
        (["integer", "null"], "42", 42),
        (["boolean", "number"], "2", 2),
        (None, "42", "42"),
    ],
)
def test_texts_become_what_is_declared(kind: Any, text: str, value: Any) -> None:
    declared = {"properties": {"x": {} if kind is None else {"type": kind}}}
    taken, _ = take(parameters(query=declared), query={"x": text, "other": "1"})
    assert taken.query == {"x": value, "other": "1"}
    assert type(taken.query["x"]) is type(value)
    taken, _ = take(parameters(body=declared), body={"x": text}, is_form=True)
    assert taken.body == {"x": value}


def test_one_or_many_become_an_array() -> None:
    declared = parameters(query={"properties": {"n": {"type": "array", "items": {"type": "integer"}}}})
    for given_, value in (("1", [1]), (["1", "2"], [1, 2]), (["1", "x"], [1, "x"])):
        taken, wrong = take(declared, query={"n": given_})
        assert taken.query == {"n": value}
        assert [one.field for one in wrong] == (["query.n.1"] if "x" in value else [])


def test_json_is_taken_as_it_is() -> None:
    body = parameters(body=properties(x="integer"))
    taken, wrong = take(body, body={"x": "42"})
    assert taken.body == {"x": "42"}
    assert [one.field for one in wrong] == ["body.x"]


def test_headers_have_no_case_and_only_declared_ones_count() -> None:
    declared = {**properties(**{"X-Count": "integer", "X-Name": "string"}), "required": ["X-Kind"]}
    found = parameters(headers={**declared, "additionalProperties": {"type": "string"}})
    sent = CIMultiDict({"x-count": "3", "X-NAME": "\udcff", "X-Kind": "k", "Accept": "*/*"})
    taken, wrong = take(found, headers=sent)
    assert wrong == []
    assert taken.headers == {"x-count": 3}, "what stays a text need not be written again"
    _, wrong = take(found, headers=CIMultiDict({"X-Count": "many"}))
    assert sorted(one.field for one in wrong) == ["headers", "headers.x-count"]


def test_everything_wrong_in_every_part_is_named() -> None:
    found = parameters(
        {"query": ["page"], "headers": ["X-Kind"], "body": ["a.b"]},
        query=properties(size="integer"),
        headers=properties(**{"X-Count": "integer"}),
        body={"type": "object", **properties(name="string")},
    )
    _, wrong = take(found, query={"size": "x"}, headers=CIMultiDict({"X-Count": "x"}), body={"name": 1})
    assert [one.field for one in wrong] == [
        "query.page", "headers.X-Kind", "body.a.b", "query.size", "headers.x-count", "body.name",
    ]  # fmt: skip
    _, wrong = take(found, query={"page": ""}, headers=CIMultiDict({"X-Kind": ""}), body=None)
    assert ("body", 'it is not of type "object"') in wrong


def test_a_wrong_schema_says_which() -> None:
    with pytest.raises(ValueError, match="headers: "):
        parameters(headers={"type": "nothing"})


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.lists(st.text()))))
def test_whatever_is_sent_is_read_or_refused(query: dict[str, Any]) -> None:
    declared = {name: {"type": ["integer", "number", "boolean"]} for name in list(query)[:2]}
    taken, _ = take(parameters(query={"properties": declared}), query=query)
    assert taken.query.keys() == query.keys()
