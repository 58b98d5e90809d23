"""When schedules fire."""

from collections.abc import Container
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.triggers.schedule import ScheduleConfig, from_us, jitter_us, to_us

HOUR_US = 3_600_000_000


def firing(after: str, count: int = 3, **config: Any) -> list[str]:
    """The next times on the schedule's own clock."""
    schedule = ScheduleConfig(**config)
    times = islice(schedule.times(to_us(datetime.fromisoformat(after))), count)
    return [schedule.local(at).isoformat(timespec="minutes") for at in times]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 9 * * MON-FRI", ["2026-03-27T09:00+00:00", "2026-03-30T09:00+00:00", "2026-03-31T09:00+00:00"]),
        ("*/20 8 * * *", ["2026-03-27T08:00+00:00", "2026-03-27T08:20+00:00", "2026-03-27T08:40+00:00"]),
        ("0 0 L * *", ["2026-03-31T00:00+00:00", "2026-04-30T00:00+00:00", "2026-05-31T00:00+00:00"]),
        ("0 0 * * 5L", ["2026-04-24T00:00+00:00", "2026-05-29T00:00+00:00", "2026-06-26T00:00+00:00"]),
        ("0 0 * * MON#2", ["2026-04-13T00:00+00:00", "2026-05-11T00:00+00:00", "2026-06-08T00:00+00:00"]),
        ("0 0 29 FEB *", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00", "2036-02-29T00:00+00:00"]),
        ("@hourly", ["2026-03-27T02:00+00:00", "2026-03-27T03:00+00:00", "2026-03-27T04:00+00:00"]),
        ("@weekly", ["2026-03-29T00:00+00:00", "2026-04-05T00:00+00:00", "2026-04-12T00:00+00:00"]),
    ],
)
def test_cron(cron: str, expected: list[str]) -> None:
    assert firing("2026-03-27T01:00+00:00", cron=cron) == expected


def test_a_time_that_summer_time_leaves_out_fires_right_after_the_change() -> None:
    assert firing("2026-03-28T12:00+01:00", cron="30 2 * * *", timezone="Europe/Berlin") == [
        "2026-03-29T03:00+02:00",
        "2026-03-30T02:30+02:00",
        "2026-03-31T02:30+02:00",
    ]


def test_a_time_that_comes_twice_in_autumn_fires_once() -> None:
    assert firing("2026-10-24T12:00+02:00", cron="30 2 * * *", timezone="Europe/Berlin") == [
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30+01:00",
        "2026-10-27T02:30+01:00",
    ]


@pytest.mark.parametrize(
    ("timezone", "change"),
    [
        ("Australia/Lord_Howe", "2026-04-04T15:00+00:00"),  # 2:00 becomes 1:30
        ("Australia/Lord_Howe", "2026-10-03T15:30+00:00"),  # 2:00 becomes 2:30
        ("Pacific/Chatham", "2026-04-04T14:00+00:00"),  # 3:45 becomes 2:45
        ("Pacific/Chatham", "2026-09-26T14:00+00:00"),  # 2:45 becomes 3:45
        ("Asia/Pyongyang", "2018-05-04T15:00+00:00"),  # 23:30 becomes 0:00
        ("Europe/Berlin", "2026-10-25T01:00+00:00"),
    ],
)
@pytest.mark.parametrize(
    ("cron", "minutes", "hours"),
    [
        ("30 * * * *", {30}, range(24)),
        ("0 */1 * * *", {0}, range(24)),
        ("15 */2 * * *", {15}, range(0, 24, 2)),
        ("*/10 2 * * *", range(0, 60, 10), {2}),
        ("*/20 0 * * *", range(0, 60, 20), {0}),
    ],
)
def test_whenever_the_clock_shows_it_also_around_a_change_of_half_an_hour(
    timezone: str, change: str, cron: str, minutes: Container[int], hours: Container[int]
) -> None:
    schedule = ScheduleConfig(cron=cron, timezone=timezone)
    begin = to_us(datetime.fromisoformat(change)) - 24 * HOUR_US
    shown = [
        at
        for at in range(begin + HOUR_US // 60, begin + 48 * HOUR_US, HOUR_US // 60)
        if schedule.local(at).minute in minutes and schedule.local(at).hour in hours
    ]
    assert list(islice(schedule.times(begin), len(shown))) == shown
    for after, at in zip([begin, *shown], shown, strict=False):
        assert schedule.next_after((after + at) // 2) == at, "from wherever it is looked at"


def test_every_hour_is_every_hour_in_autumn_too() -> None:
    found = firing("2026-11-01T00:30-04:00", 3, cron="0 * * * *", timezone="America/New_York")
    assert found == ["2026-11-01T01:00-04:00", "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"]


@pytest.mark.parametrize("start_at", [None, "2026-10-25T02:10+01:00"])
def test_the_second_of_two_equal_hours_begins_no_time_of_the_first(start_at: str | None) -> None:
    config = {"cron": "0,30 2,3 * * *", "timezone": "Europe/Berlin", "start_at": start_at}
    after = "2026-10-25T02:10+01:00" if start_at is None else "2026-10-24T12:00+02:00"
    assert firing(after, **config) == [
        "2026-10-25T03:00+01:00",
        "2026-10-25T03:30+01:00",
        "2026-10-26T02:00+01:00",
    ]


def test_a_minute_of_every_so_many_is_as_the_clock_shows_it() -> None:
    config = {"cron": "*/30 2 * * *", "timezone": "Europe/Berlin"}
    assert firing("2026-10-24T12:00+02:00", 4, **config) == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
    ]
    assert firing("2026-03-28T12:00+01:00", 1, **config) == ["2026-03-30T02:00+02:00"]


def test_an_interval_counts_from_its_start() -> None:
    found = firing("2026-01-01T00:00+00:00", interval_s=5400, start_at="2026-01-01T10:10+00:00")
    assert found == ["2026-01-01T10:10+00:00", "2026-01-01T11:40+00:00", "2026-01-01T13:10+00:00"]
    found = firing("2026-01-01T10:10+00:00", interval_s=5400, start_at="2026-01-01T10:10+00:00")
    assert found[0] == "2026-01-01T11:40+00:00"


def test_single_times_are_taken_in_order_and_between_start_and_end() -> None:
    at = ["2026-03-01T00:00Z", "2026-01-01T00:00Z", "2026-02-01T00:00Z", "2026-04-01T00:00Z"]
    assert firing("2026-01-01T00:00+00:00", at=at, end_at="2026-03-15T00:00Z") == [
        "2026-02-01T00:00+00:00",
        "2026-03-01T00:00+00:00",
    ]


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, "give one of cron, interval_s and at, not none"),
        ({"cron": "* * * * *", "interval_s": 5}, "not cron and interval_s"),
        ({"cron": "* * * *"}, "it has five fields, or is one of @yearly"),
        ({"cron": "* * * * * *"}, "five fields"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "0 0 31 2 *"}, "Bad day-of-month"),
        ({"cron": "@never"}, "five fields"),
        ({"interval_s": 5, "timezone": "Europe/Berlln"}, "'Europe/Berlln' is no IANA time zone"),
        ({"interval_s": 5, "timezone": "../etc/passwd"}, "no IANA time zone"),
        ({"at": ["2026-01-01T00:00"]}, "timezone"),
        ({"interval_s": 0.5}, "greater than or equal to 1"),
        ({"interval_s": 5, "jitter_s": 31}, "less than or equal to 30"),
    ],
)
def test_what_can_not_fire_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ScheduleConfig(**config)


def test_jitter_is_the_same_each_time_and_spreads_schedules() -> None:
    config = ScheduleConfig(interval_s=60, jitter_s=30)
    drawn = [jitter_us(f"schedule-{n}", config) for n in range(300)]
    assert drawn == [jitter_us(f"schedule-{n}", config) for n in range(300)]
    assert all(0 <= one < 30_000_000 for one in drawn)
    assert all(any(low <= one < low + 5_000_000 for one in drawn) for low in range(0, 30_000_000, 5_000_000))
    assert jitter_us("any", ScheduleConfig(interval_s=60)) == 0


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["*/7 * * * *", "15 2 * * *", "0 0 L * *", "30 1,2,3 * 3,10,11 0", "@monthly"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_times_go_forward_wherever_one_begins(after: datetime, cron: str, zone: str) -> None:
    schedule = ScheduleConfig(cron=cron, timezone=zone)
    times = list(islice(schedule.times(to_us(after)), 5))
    assert times == sorted(set(times))
    assert times[0] > to_us(after)
    assert list(islice(schedule.times(times[1]), 3)) == times[2:]
    assert from_us(to_us(after)) == after
