"""Filters of runs and trigger logs, as they come in a query string."""

from datetime import UTC, datetime

import pytest

from schemas.conditions import read_condition
from schemas.search import LogFilter, NoFilter, RunFilter, read_filter


def test_every_parameter_is_read() -> None:
    given = [
        ("workflow_id", "w1,w2"),
        ("workflow_id", "w3"),
        ("app_id", "a"),
        ("status", "failed, stopped"),
        ("version", "draft"),
        ("trigger_type", "webhook"),
        ("created_by", "ada"),
        ("error", "timed out"),
        ("where", "input.a=1"),
        ("where", "output.b~x"),
        ("min_duration", "0.5"),
        ("max_duration", "60"),
        ("min_tokens", "1"),
        ("max_tokens", "10"),
        ("since", "2026-01-31T12:00:00Z"),
        # As a query string brings a plus that nobody has escaped.
        ("until", "2026-01-31T14:00:00 01:00"),
    ]
    assert read_filter(RunFilter, given) == RunFilter(
        workflow_id=("w1", "w2", "w3"),
        app_id="a",
        status=("FAILED", "STOPPED"),
        version=("draft",),
        trigger_type=("WEBHOOK",),
        created_by="ada",
        error="timed out",
        where=(read_condition("input.a=1"), read_condition("output.b~x")),
        min_duration=0.5,
        max_duration=60,
        min_tokens=1,
        max_tokens=10,
        since=datetime(2026, 1, 31, 12, tzinfo=UTC),
        until=datetime(2026, 1, 31, 13, tzinfo=UTC),
    )
    assert {name for name, _ in given} == set(RunFilter.model_fields)


def test_nothing_is_any_and_a_time_without_a_zone_is_utc() -> None:
    assert read_filter(LogFilter, []) == LogFilter()
    assert read_filter(LogFilter, [("since", "2026-01-31")]).since == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([("statsu", "FAILED")], "no parameter statsu: did you mean status"),
        ([("tenant_id", "t")], "no parameter tenant_id"),
        ([("colour", "red")], "no parameter colour: it can be searched by app_id, "),
        ([("status", "FAILED,DONE")], "status is one of RUNNING, .*, not 'DONE'"),
        ([("status", ",")], "status is empty"),
        ([("trigger_type", "PIGEON")], "trigger_type is one of .*MANUAL"),
        ([("error", "a"), ("error", "b")], "error is given 2 times"),
        ([("since", "yesterday")], "since is a time like 2026-01-31T12:00:00Z, not 'yesterday'"),
        ([("min_duration", "nan")], "min_duration is a number of seconds from 0 on, not 'nan'"),
        ([("max_duration", "inf")], "max_duration is a number of seconds"),
        ([("min_tokens", "1.5")], "min_tokens is a number of tokens"),
        ([("min_tokens", "-1")], "min_tokens is a number of tokens"),
        ([("min_tokens", "5"), ("max_tokens", "4")], "min_tokens is more than max_tokens"),
        ([("since", "2026-02-01"), ("until", "2026-01-01")], "since is more than until"),
        ([("where", "colour=red")], "where 'colour=red' is no condition like"),
        ([("where", "input.a=1")] * 21, "at most 20"),
        ([("workflow_id", ",".join(map(str, range(101))))], "at most 100"),
    ],
)
def test_a_wrong_filter_says_what_to_change(given: list[tuple[str, str]], why: str) -> None:
    with pytest.raises(NoFilter, match=why):
        read_filter(RunFilter, given)
