"""Durations and moments, as people write them."""

import math
from typing import Any

import pytest

from schemas.moments import read_moment, read_seconds

EVE_US = 1_798_131_600_000_000
"""2026-12-24, 17:00 UTC."""


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [
        (5, "second", 5),
        (0, "day", 0),
        (1.5, "minute", 90),
        ("2", "hour", 7200),
        (" .5 ", "minute", 30),
        ("1e2", "second", 100),
        (90, "day", 7_776_000),
        ("1e999", "second", math.inf),
        (10**400, "second", math.inf),
    ],
)
def test_a_duration(value: Any, unit: str, seconds: float) -> None:
    assert read_seconds(value, unit) == seconds


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (-1, "-1 seconds is less than nothing"),
        ("-0.5", "less than nothing"),
        (math.nan, "nan is no number of seconds"),
        ("nan", "'nan' is no number"),
        ("inf", "'inf' is no number"),
        ("1_000", "is no number"),
        ("", "'' is no number"),
        ("soon", "'soon' is no number"),
        (None, "None is no number"),
        (True, "True is no number"),
        ([1], "is no number"),
        ("x" * 100, "xxx... is no number"),
    ],
)
def test_what_is_no_duration(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace(".", r"\.")):
        read_seconds(value, "second")


@pytest.mark.parametrize(
    ("value", "zone"),
    [
        ("2026-12-24T18:00:00+01:00", "UTC"),
        ("2026-12-24T17:00:00Z", "Asia/Tokyo"),
        (" 2026-12-24 18:00 ", "Europe/Berlin"),
        ("20261224T170000Z", "UTC"),
        (1_798_131_600, "UTC"),
        ("1798131600", "Asia/Tokyo"),
        (1_798_131_600.0, "UTC"),
    ],
)
def test_a_moment(value: Any, zone: str) -> None:
    assert read_moment(value, zone) == EVE_US


def test_a_moment_is_exact_to_the_microsecond() -> None:
    assert read_moment("2026-12-24T17:00:00.000001Z", "UTC") == EVE_US + 1
    assert read_moment("1798131600.25", "UTC") == EVE_US + 250_000


def test_eight_digits_are_a_date() -> None:
    assert read_moment("20261224", "UTC") == EVE_US - 17 * 3_600_000_000
    assert read_moment(20_261_224, "UTC") == 20_261_224_000_000


def test_a_time_that_the_change_to_summer_time_leaves_out_is_right_after_it() -> None:
    missing = read_moment("2026-03-29T02:30", "Europe/Berlin")
    assert missing == read_moment("2026-03-29T03:30", "Europe/Berlin")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1_798_131_600_000, "is no moment: give seconds since 1970"),
        ("1e999", "is no moment: give seconds"),
        ("tomorrow", "'tomorrow' is no moment, such as"),
        ("2026-13-01", "is no moment, such as"),
        ("", "is no moment"),
        (None, "None is no moment"),
        (True, "True is no moment"),
        (math.nan, "nan is no moment"),
        ({}, "is no moment"),
    ],
)
def test_what_is_no_moment(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_moment(value, "UTC")


def test_a_zone_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="'Mars' is no IANA time zone"):
        read_moment("2026-12-24T18:00", "Mars")
