"""What is said about the data of human-input nodes."""

from typing import Any

import pytest

from schemas.graph import check, remarks
from schemas.nodes.human_input import HumanInputData
from tests.graphs import graph, node, start

ACTIONS = [{"id": "yes", "title": "Yes"}]


def asking(**data: Any) -> dict[str, Any]:
    return graph([start(), node("ask", "human-input", **{"user_actions": ACTIONS, **data})], ("start", "ask"))


@pytest.mark.parametrize(
    ("data", "field", "why"),
    [
        ({"user_actions": [*ACTIONS, *ACTIONS]}, "user_actions", "'yes' is there several times"),
        ({"user_actions": [{"id": "a b"}]}, "user_actions.0.id", "letters, digits and underscores"),
        ({"inputs": [{"output_variable_name": "x"}] * 2}, "inputs", "'x' is there several times"),
        (
            {"inputs": [{"output_variable_name": "x", "type": "select"}]},
            "inputs.0.option_source",
            "needs options",
        ),
        ({"timeout": 0}, "timeout", "greater than 0"),
    ],
)
def test_what_cannot_be_asked_is_refused(data: dict[str, Any], field: str, why: str) -> None:
    (problem,) = check(asking(**data), "workflow")
    assert (problem.node, problem.field) == ("ask", field)
    assert why in problem.why


@pytest.mark.parametrize(
    ("count", "unit", "seconds"), [(2, "minute", 120), (2, "hours", 7200), (1, "day", 86_400)]
)
def test_the_timeout_has_a_unit(count: int, unit: str, seconds: int) -> None:
    assert HumanInputData(type="human-input", timeout=count, timeout_unit=unit).timeout_s == seconds


def test_without_a_timeout_it_waits_as_long_as_in_dify() -> None:
    assert HumanInputData(type="human-input").timeout_s == 36 * 3600


def test_delivery_that_nobody_makes_is_remarked() -> None:
    methods = [{"type": "webapp"}, {"type": "email", "config": {}}, {"type": "email", "enabled": False}]
    (remark,) = remarks(asking(delivery_methods=methods), "workflow")
    assert (remark.field, remark.why) == (
        "delivery_methods.1",
        "nothing is sent by email: answers come by the API",
    )
    assert remarks(asking(delivery_methods=None), "workflow") == []
