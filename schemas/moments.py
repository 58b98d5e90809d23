"""Durations and moments as authors of workflows and their data write them, in microseconds."""

import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from schemas.errors import abridged

UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}

_US = 1_000_000
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{8}")
"""The short form of an ISO date, and no number: seconds with so few digits are in the early seventies."""
_END_S = 253_402_300_800
"""Seconds from 1970 to the year 10000, from which on there are no dates."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_seconds(value: Any, unit: str) -> float:
    """A number of units, or its text, as seconds. Raises `ValueError` for what is no duration.

    May be infinite: it is for the caller to say how long is too long.
    """
    amount = _number(value)
    if amount is None:
        raise ValueError(f"{abridged(value)} is no number of {unit}s")
    if amount < 0:
        raise ValueError(f"{abridged(value)} {unit}s is less than nothing")
    return amount * UNIT_S[unit]


def read_moment(value: Any, zone: str) -> int:
    """Seconds since 1970, or ISO 8601, as microseconds since 1970. Raises `ValueError`.

    A time without an offset is that of the clocks in `zone`, a date its midnight.
    """
    seconds = None if isinstance(value, str) and _DATE.fullmatch(value.strip()) else _number(value)
    if seconds is not None:
        if not abs(seconds) < _END_S:
            raise ValueError(f"{abridged(value)} is no moment: give seconds since 1970, or ISO 8601")
        return round(seconds * _US)
    if not isinstance(value, str):
        raise ValueError(f"{abridged(value)} is no moment")
    try:
        read = datetime.fromisoformat(value.strip())
    except ValueError as wrong:
        raise ValueError(f"{abridged(value)} is no moment, such as 2026-12-24T18:00:00+01:00") from wrong
    # The difference is taken by hand: `timestamp` is a float, which is not exact to the microsecond.
    since = (read if read.tzinfo else read.replace(tzinfo=time_zone(zone))) - _EPOCH
    return (since.days * 86_400 + since.seconds) * _US + since.microseconds


def time_zone(name: str) -> ZoneInfo:
    """The IANA time zone of that name. Raises `ValueError` where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Berlin") from unknown


def _number(value: Any) -> float | None:
    """None for what is none: a truth value, a text with anything else in it, NaN."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    try:
        return float(value)
    except OverflowError:
        return float("inf")
