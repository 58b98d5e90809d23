"""What is said about the data of wait nodes."""

from typing import Any

import pytest

from schemas.graph import check, remarks
from schemas.nodes.wait import WaitData
from tests.graphs import field, graph, node, start


def waiting(**data: Any) -> dict[str, Any]:
    return graph([start(field("when")), node("w", "wait", **data)], ("start", "w"))


@pytest.mark.parametrize(
    "data",
    [
        {"duration": 0},
        {"duration": 1.5, "duration_unit": "hours"},
        {"duration": "90", "until": ""},
        {"duration": ["start", "when"], "duration_unit": "day"},
        {"duration": "{{#start.when#}}0"},
        {"until": 1_800_000_000, "duration": None},
        {"until": "2026-12-24T18:00", "timezone": "Europe/Berlin"},
        {"until": ["start", "when"], "reason": "{{#start.when#}}"},
    ],
)
def test_how_it_may_be_said(data: dict[str, Any]) -> None:
    assert check(waiting(**data), "workflow") == []


@pytest.mark.parametrize(
    ("data", "field", "why"),
    [
        ({}, "duration", "give one of duration and until"),
        ({"duration": 1, "until": 1}, "duration", "give one of duration and until"),
        ({"duration": -1}, "duration", "'-1' seconds is less than nothing"),
        ({"duration": float("nan")}, "duration", "is no number"),
        ({"duration": "a while", "duration_unit": "day"}, "duration", "'a while' is no number of days"),
        ({"duration": True}, "duration", "valid"),
        ({"duration": ["start"]}, "duration", "is no selector"),
        ({"duration": 1, "duration_unit": "year"}, "duration_unit", "'day'"),
        ({"until": "tomorrow"}, "until", "is no moment, such as"),
        ({"until": 1, "timezone": "Mars"}, "timezone", "is no IANA time zone"),
        ({"until": ["nobody", "x"]}, "until", "there is no node 'nobody'"),
    ],
)
def test_what_says_no_time_is_refused(data: dict[str, Any], field: str, why: str) -> None:
    problems = check(waiting(**data), "workflow")
    assert {(problem.node, problem.field.split(".")[0]) for problem in problems} == {("w", field)}
    assert any(why in problem.why for problem in problems)


def test_that_dify_does_not_know_it_is_remarked() -> None:
    (remark,) = remarks(waiting(duration=1), "workflow")
    assert (remark.node, remark.field, remark.why) == (
        "w",
        "type",
        "is Hopline's own: Dify has no node that waits",
    )


def test_a_number_is_kept_as_it_was_written() -> None:
    assert WaitData(type="wait", duration=1.25).duration == "1.25"
