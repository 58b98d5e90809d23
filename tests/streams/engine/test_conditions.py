"""Conditions look at the pool: what is compared, with what, and what is recorded of it."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.if_else import Condition
from streams.engine.conditions import compile_condition, compile_conditions, holds
from streams.engine.errors import NodeFailure
from tests.graphs import condition

FILES = [
    {
        "dify_model_identity": FILE_IDENTITY,
        "type": "image",
        "filename": "a.png",
        "extension": ".png",
        "size": 5,
    },
    {"dify_model_identity": FILE_IDENTITY, "type": "document", "filename": "b.pdf", "extension": "pdf"},
]
POOL = {
    "n": {"text": "hello", "yes": True, "flags": [True, False], "one": 1, "none": None, "files": FILES},
    "m": {"other": "hell", "deep": {"file": FILES[0], "list": [1]}},
}


def decide(*args: Any, **more: Any) -> bool:
    return compile_condition(Condition.model_validate(condition(*args, **more)))(POOL, [])


@pytest.mark.parametrize(
    ("selector", "operator", "value", "expected"),
    [
        (["n", "text"], "is", "hello", True),
        (["n", "text"], "start with", "{{#m.other#}}", True),
        (["n", "text"], "is", "{{#m.other#}}o", True),
        (["n", "yes"], "is", "true", True),
        (["n", "yes"], "is", "0", False),
        (["n", "yes"], "is not", False, True),
        (["n", "flags"], "contains", "false", True),
        (["n", "flags"], "all of", ["true"], True),
        (["n", "one"], ">", "0", True),
        (["n", "one"], "=", 1, True),
        (["n", "none"], "null", None, True),
        (["n", "none"], "is", "x", False),
        (["m", "deep", "list"], "not empty", None, True),
        (["n", "files"], "exists", None, True),
        (["n", "files"], "not empty", None, True),
        (["m", "deep", "file"], "exists", None, True),
    ],
)
def test_one_condition(selector: list[str], operator: str, value: Any, expected: bool) -> None:
    assert decide(selector, operator, value) is expected


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("type", "in", ["image"], True),
        ("type", "not in", ["image"], False),
        ("type", "not in", ["video"], True),
        ("extension", "is", "pdf", True),
        ("extension", "is", ".png", True),
        ("extension", "is", "docx", False),
        ("name", "contains", "b.", True),
        ("name", "not contains", ".p", False),
        ("size", "not exists", None, False),
        ("size", "exists", None, True),
    ],
)
def test_conditions_on_the_files_of_a_list(key: str, operator: str, value: Any, expected: bool) -> None:
    wanted = {"conditions": [{"key": key, "comparison_operator": operator, "value": value}]}
    assert decide(["n", "files"], "contains", sub_variable_condition=wanted) is expected


@pytest.mark.parametrize(
    ("selector", "operator", "value", "reason"),
    [
        (["gone", "x"], "is", "x", "variable gone.x not found"),
        (["m", "deep", "no"], "is", "x", "variable m.deep.no not found"),
        (["n", "one", "x"], "is", "x", "not found"),
        (["n", "one"], "contains", "1", r"condition on n.one \(contains\): only a string or a list"),
        (["n", "one"], "=", "x", "invalid literal"),
        (["n", "yes"], "is", "maybe", "condition on n.yes"),
        (["n", "yes"], "is", '"true"', "is not a boolean"),
        (["n", "files"], "contains", "x", "attributes is missing"),
    ],
)
def test_what_cannot_be_decided_fails(selector: list[str], operator: str, value: Any, reason: str) -> None:
    with pytest.raises(NodeFailure, match=reason):
        decide(selector, operator, value)


def test_an_extension_is_a_string() -> None:
    wanted = {"conditions": [{"key": "extension", "comparison_operator": "in", "value": ["pdf"]}]}
    with pytest.raises(NodeFailure, match="extension"):
        decide(["n", "files"], "contains", sub_variable_condition=wanted)


@pytest.mark.parametrize(
    ("logical", "values", "results", "held"),
    [
        ("and", "hello hello", [True, True], True),
        ("and", "x hello", [False], False),
        ("or", "hello x", [True], True),
        ("or", "x x", [False, False], False),
        ("and", "", [], True),
        ("or", "", [], False),
    ],
)
def test_conditions_up_to_the_one_that_decides(
    logical: str, values: str, results: list[bool], held: bool
) -> None:
    tests = [Condition.model_validate(condition(["n", "text"], "is", v)) for v in values.split()]
    seen: list[Any] = []
    found = compile_conditions(tests, logical)(POOL, seen)
    assert (found, holds(found, logical)) == (results, held)
    assert [entry["expected_value"] for entry in seen] == values.split()[: len(results)]


def test_what_is_recorded_has_both_sides() -> None:
    seen: list[Any] = []
    compile_condition(Condition.model_validate(condition(["n", "one"], ">", "{{#n.one#}}")))(POOL, seen)
    assert seen == [{"actual_value": 1, "expected_value": "1", "comparison_operator": ">"}]
