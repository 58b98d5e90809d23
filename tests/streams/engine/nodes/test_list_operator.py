"""List operators: filter, extract, order and limit, on each kind of list."""

from typing import Any

import pytest

from schemas.files import FILE_IDENTITY
from schemas.nodes.list_operator import ListOperatorData
from schemas.work_budget import CURRENT, Budget
from streams.engine.errors import NodeFailure
from streams.engine.nodes.list_operator import compile_list_operator
from streams.engine.nodes.protocol import Outcome
from streams.engine.options import DEFAULTS


def file(name: str, **more: Any) -> dict[str, Any]:
    return {
        "dify_model_identity": FILE_IDENTITY,
        "filename": name,
        "type": "document",
        "transfer_method": "local_file",
        "size": len(name),
        **more,
    }


A, B, C = file("a.txt"), file("bb.png", type="image"), file("ccc.txt", size=None, remote_url="http://x/c")


def operate(value: Any, **data: Any) -> Outcome:
    parsed = ListOperatorData.model_validate({"type": "list-operator", "variable": ["n", "list"], **data})
    pool = {"n": {"list": value, "wanted": "b", "two": 2}}
    return compile_list_operator(parsed).run(pool)


def filtered(value: Any, operator: str, against: Any, key: str = "") -> Any:
    condition = {"key": key, "comparison_operator": operator, "value": against}
    return operate(value, filter_by={"enabled": True, "conditions": [condition]}).outputs["result"]


@pytest.mark.parametrize(
    ("operator", "value", "kept"),
    [
        ("contains", "b", ["ab", "b"]),
        ("contains", "{{#n.wanted#}}", ["ab", "b"]),
        ("not contains", "b", ["a", ""]),
        ("start with", "a", ["a", "ab"]),
        ("end with", "b", ["ab", "b"]),
        ("is", "b", ["b"]),
        ("is not", "b", ["a", "ab", ""]),
        ("in", "ab", ["a", "ab", "b", ""]),
        ("not in", "a b", ["ab"]),
        ("empty", "", [""]),
        ("not empty", "", ["a", "ab", "b"]),
    ],
)
def test_texts(operator: str, value: str, kept: list[str]) -> None:
    assert filtered(["a", "ab", "b", ""], operator, value) == kept


@pytest.mark.parametrize(
    ("operator", "value", "kept"),
    [
        ("=", "2", [2]),
        ("=", 2, [2]),
        ("≠", "2", [1, 2.5]),
        ("<", "{{#n.two#}}", [1]),
        ("≤", "2", [1, 2]),
        (">", "2", [2.5]),
        ("≥", "2.0", [2, 2.5]),
    ],
)
def test_numbers(operator: str, value: Any, kept: list[float]) -> None:
    assert filtered([1, 2, 2.5], operator, value) == kept


def test_booleans() -> None:
    assert filtered([True, False, True], "is", True) == [True, True]
    assert filtered([True, False, True], "is not", True) == [False]


@pytest.mark.parametrize(
    ("key", "operator", "value", "kept"),
    [
        ("name", "end with", ".txt", [A, C]),
        ("extension", "empty", "", [A, B, C]),
        ("url", "contains", "x/", [C]),
        ("type", "in", ["image", "audio"], [B]),
        ("type", "not in", ["image"], [A, C]),
        ("transfer_method", "in", "local_file", [A, B, C]),
        ("size", "≥", "5", [A, B]),
        ("size", "<", "0", [C]),
    ],
)
def test_files(key: str, operator: str, value: Any, kept: list[Any]) -> None:
    assert filtered([A, B, C], operator, value, key) == kept


@pytest.mark.parametrize(
    ("data", "result"),
    [
        ({"extract_by": {"enabled": True, "serial": "2"}}, ["a"]),
        ({"extract_by": {"enabled": True, "serial": "{{#n.two#}}"}}, ["a"]),
        ({"order_by": {"enabled": True, "value": "asc"}}, ["a", "b", "c"]),
        ({"order_by": {"enabled": True, "value": "desc"}}, ["c", "b", "a"]),
        ({"order_by": {"enabled": True, "key": "", "value": ""}}, ["a", "b", "c"]),
        ({"limit": {"enabled": True, "size": 2}}, ["c", "a"]),
        ({"limit": {"enabled": True, "size": -1}}, ["c", "a"]),
        ({"order_by": {"enabled": True}, "limit": {"enabled": True, "size": 1}}, ["a"]),
        ({"extract_by": {"enabled": True, "serial": "1"}, "order_by": {"enabled": True}}, ["c"]),
        ({"order_by": {"enabled": False}, "limit": {"enabled": False, "size": 1}}, ["c", "a", "b"]),
    ],
)
def test_steps(data: dict[str, Any], result: list[str]) -> None:
    outcome = operate(["c", "a", "b"], **data)
    assert outcome.outputs == {"result": result, "first_record": result[0], "last_record": result[-1]}
    assert outcome.inputs == outcome.process_data == {"variable": ["c", "a", "b"]}


def test_files_are_ordered_by_an_attribute() -> None:
    def ordered(key: str) -> Any:
        return operate([C, A, B], order_by={"enabled": True, "key": key, "value": "asc"}).outputs["result"]

    assert ordered("name") == [A, B, C]
    assert ordered("size") == [C, A, B]


@pytest.mark.parametrize("value", [[], "", 0, None, {}])
def test_what_is_empty_is_an_empty_list(value: Any) -> None:
    outcome = operate(value, extract_by={"enabled": True, "serial": "9"})
    assert outcome.outputs == {"result": [], "first_record": None, "last_record": None}


@pytest.mark.parametrize(
    ("value", "data", "why"),
    [
        ("text", {}, "must be a list of texts, numbers, booleans or files, is string"),
        ([{"a": 1}], {}, r"is array\[object\]"),
        (["a", 1], {}, r"is array\[any\]"),
        (["a"], {"variable": ["n", "absent"]}, "variable n.absent not found"),
        (["a"], {"extract_by": {"enabled": True, "serial": "2"}}, "there is no item 2 in a list of 1"),
        (["a"], {"extract_by": {"enabled": True, "serial": "0"}}, "there is no item 0"),
        (["a"], {"extract_by": {"enabled": True, "serial": "x"}}, "invalid literal"),
        ([A], {"order_by": {"enabled": True, "key": "colour"}}, "files cannot be sorted by 'colour'"),
    ],
)
def test_refused(value: Any, data: dict[str, Any], why: str) -> None:
    with pytest.raises(NodeFailure, match=why):
        operate(value, **data)


@pytest.mark.parametrize(
    ("value", "operator", "against", "key", "why"),
    [
        (["a"], "=", "a", "", "'=' is none of contains"),
        (["a"], "is", True, "", "must be a text"),
        ([1], "contains", "1", "", "'contains' is none of ="),
        ([1], "=", "x", "", "could not convert"),
        ([True], "is", "true", "", "not with 'true'"),
        ([True], "contains", True, "", "none of is, is not"),
        ([A], "is", True, "name", "not with True"),
        ([A], "is", "image", "type", "'is' is none of in, not in"),
        ([A], "is", "x", "colour", "cannot be filtered by 'colour'"),
        ([A], "in", ["x"], "name", "cannot be filtered by 'name'"),
    ],
)
def test_conditions_that_do_not_fit(value: Any, operator: str, against: Any, key: str, why: str) -> None:
    with pytest.raises(NodeFailure, match=why):
        filtered(value, operator, against, key)


LONG = "ab" * 500_000
MANY = [f"ab{number}" for number in range(2_000)]


def filter_by(operator: str, against: Any, times: int = 1) -> dict[str, Any]:
    condition = {"key": "", "comparison_operator": operator, "value": against}
    return {"filter_by": {"enabled": True, "conditions": [condition] * times}}


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (MANY, filter_by("not in", LONG)),
        (["ab" * 300 + "c"] * 200, filter_by("in", LONG)),
        ([LONG] * 2_000, filter_by("contains", "c")),
        (list(range(300_000)), filter_by("≥", "0", times=10)),
        (MANY * 100, {**filter_by("not empty", "", times=7), "order_by": {"enabled": True}}),
    ],
)
def test_what_takes_too_long_is_refused(value: Any, data: dict[str, Any]) -> None:
    token = CURRENT.set(Budget(DEFAULTS.max_hop_work))
    try:
        with pytest.raises(NodeFailure, match="takes more than 1500000 steps") as failed:
            operate(value, **data)
    finally:
        CURRENT.reset(token)
    assert failed.value.error_type == "ListOperatorError"


def test_what_takes_its_time_is_done() -> None:
    budget = Budget(DEFAULTS.max_hop_work)
    token = CURRENT.set(budget)
    try:
        found = operate(MANY * 100, **filter_by("contains", "ab199"), order_by={"enabled": True})
    finally:
        CURRENT.reset(token)
    assert len(found.outputs["result"]) == 1_100
    assert budget.spent < DEFAULTS.max_hop_work / 5
