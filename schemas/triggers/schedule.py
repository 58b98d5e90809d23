"""Schedules: when one fires. Pure; times are microseconds since the epoch."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError
from pydantic import AwareDatetime, Field, field_validator, model_validator

from schemas.triggers.config import TriggerConfig

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MAX_JITTER_S = 30

_US = 1_000_000
_CRON_FIELDS = 5
_BETWEEN_CHANGES_S = 43_200
"""No clock is changed twice within it."""


class ScheduleConfig(TriggerConfig):
    """One of `cron`, `interval_s` and `at` says when. Fields of the seed's WorkflowScheduleTrigger."""

    type: ClassVar[str] = "SCHEDULE"
    queue: ClassVar[str] = "high_priority"
    node_type: ClassVar[str] = "trigger-schedule"

    cron: str | None = None
    """Minute, hour, day of month, month, day of week, as in Debian's cron: names, ranges, steps, `L`, `LW`,
    `5L`, `MON#2`; or a macro such as `@daily`."""
    interval_s: Annotated[float, Field(ge=1)] | None = None
    """Every so many seconds, counted from `start_at`, else from the epoch."""
    at: tuple[AwareDatetime, ...] = ()
    """These times, each once."""
    timezone: str = "UTC"
    """IANA name: of the clock on the wall that `cron` means. A time that the change to summer time leaves out
    fires right after the change; one that comes twice in autumn fires the first time. Where the minute or the
    hour begins with `*`, it fires whenever the clock shows such a time: not at all then, and twice."""
    enabled: bool = True
    start_at: AwareDatetime | None = None
    """Nothing before this."""
    end_at: AwareDatetime | None = None
    """Nothing after this."""
    jitter_s: Annotated[float, Field(ge=0, le=MAX_JITTER_S)] = 0
    """Fires up to this much later: the same for each time, different from schedule to schedule."""
    overlap: Literal["allow", "skip", "buffer_one", "cancel_other"] = "allow"
    """What becomes of a time at which a run of this schedule is still going."""
    catch_up: Literal["none", "last", "all"] = "last"
    """Which of the times fire that were missed while no worker ran."""
    catch_up_window_s: Annotated[float, Field(ge=0)] = 86_400
    """How late a missed time may still fire."""
    inputs: dict[str, Any] = Field(default_factory=dict)
    """Of each run."""
    external_id: str | None = Field(default=None, min_length=1, max_length=200)
    """Yours, unique in the tenant: creating a schedule twice under it creates one."""

    @field_validator("cron")
    @classmethod
    def _can_fire(cls, cron: str | None) -> str | None:
        if cron is not None:
            _iterate(cron, datetime.now(UTC))
        return cron

    @field_validator("timezone")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
            raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Berlin") from unknown
        return name

    @model_validator(mode="after")
    def _says_when_once(self) -> Self:
        given = [name for name in ("cron", "interval_s", "at") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give one of cron, interval_s and at, not {' and '.join(given) or 'none'}")
        return self

    def refusal(self, event: Mapping[str, Any]) -> str | None:
        """The stage of the clock says why it lets a time pass. Only it makes events of this kind."""
        reason: str | None = event["metadata"].get("refusal")
        return reason

    @classmethod
    def from_node(cls, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """Of Dify's trigger-schedule node, in its visual mode as well."""
        if data.get("type") != cls.node_type:
            return None
        zone = {"timezone": data.get("timezone") or "UTC"}
        if data.get("mode") == "cron":
            return {"cron": data.get("cron_expression") or "", **zone}
        return {"cron": visual_cron(data.get("frequency") or "", data.get("visual_config") or {}), **zone}

    @property
    def timing(self) -> tuple[Any, ...]:
        """What decides the times: two schedules with the same fire at the same times."""
        return (self.cron, self.interval_s, self.at, self.timezone, self.start_at, self.end_at)

    def next_after(self, after_us: int) -> int | None:
        """The first time after that one; None when there is no more."""
        if self.start_at is not None:
            after_us = max(after_us, to_us(self.start_at) - 1)
        found = self._next(after_us)
        if found is None or (self.end_at is not None and found > to_us(self.end_at)):
            return None
        return found

    def times(self, after_us: int) -> Iterator[int]:
        """`next_after` again and again."""
        found = self.next_after(after_us)
        while found is not None:
            yield found
            found = self.next_after(found)

    def local(self, at_us: int) -> datetime:
        """The time on the schedule's wall clock."""
        return from_us(at_us).astimezone(ZoneInfo(self.timezone))

    def _next(self, after_us: int) -> int | None:
        if self.at:
            return min((at for at in map(to_us, self.at) if at > after_us), default=None)
        if self.interval_s:
            step, anchor = round(self.interval_s * _US), to_us(self.start_at) if self.start_at else 0
            return anchor + ((after_us - anchor) // step + 1) * step
        assert self.cron is not None, "one of the three is there"
        if _goes_by_the_clock(self.cron):
            return _shown_after(self.cron, ZoneInfo(self.timezone), after_us)
        # Of an hour that comes twice it gives the first, also when the second has begun.
        found = map(to_us, _iterate(self.cron, self.local(after_us)))
        return next((at for at in found if at > after_us), None)


def visual_cron(frequency: str, visual: Mapping[str, Any]) -> str:
    """The cron expression of what Dify's visual mode says; what it says nothing of is as in Dify.

    Raises `ValueError` for what is neither hourly, daily, weekly nor monthly.
    """
    minute, hour = _clock(str(visual.get("time") or "12:00 AM"))
    match frequency:
        case "hourly":
            return f"{visual.get('on_minute') or 0} * * * *"
        case "daily":
            return f"{minute} {hour} * * *"
        case "weekly":
            return f"{minute} {hour} * * {','.join(visual.get('weekdays') or ['sun'])}"
        case "monthly":
            days = (str(day).replace("last", "L") for day in visual.get("monthly_days") or [1])
            return f"{minute} {hour} {','.join(days)} * *"
    raise ValueError(f"frequency is {frequency!r}, not hourly, daily, weekly or monthly")


def _clock(time: str) -> tuple[int, int]:
    """Minute and hour of `2:30 PM`."""
    try:
        found = datetime.strptime(time.strip().upper(), "%I:%M %p")
    except ValueError as wrong:
        raise ValueError(f"time is {time!r}, not such as 2:30 PM") from wrong
    return found.minute, found.hour


def jitter_us(trigger_id: str, config: ScheduleConfig) -> int:
    """How much later than its times this schedule fires."""
    if not config.jitter_s:
        return 0
    drawn = int.from_bytes(hashlib.sha256(trigger_id.encode()).digest()[:8], "big") / 2**64
    return int(drawn * config.jitter_s * _US)


def to_us(at: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_us(at_us: int) -> datetime:
    """Aware, in UTC."""
    return _EPOCH + timedelta(microseconds=at_us)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _goes_by_the_clock(cron: str) -> bool:
    """Whether its minute or its hour begins with `*`."""
    minute, hour, *_ = MACROS.get(cron.strip().lower(), cron).split()
    return minute.startswith("*") or hour.startswith("*")


def _shown_after(cron: str, zone: ZoneInfo, after_us: int) -> int | None:
    """The first time after that one at which the clock shows what `cron` says.

    CronSim expects a change of the clock at a full hour, by full hours; that of Lord Howe is half an hour. So
    it is asked for a clock that nobody changes, as far as the next change.
    """
    begin_s: int | None = after_us // _US + 1
    found: int | None = None
    while begin_s is not None:
        clock = timezone(_offset(zone, begin_s))
        found = next(map(to_us, _iterate(cron, datetime.fromtimestamp(begin_s - 1, clock))), None)
        begin_s = None if found is None else _changed(zone, begin_s, found // _US)
    return found


def _changed(zone: ZoneInfo, begin_s: int, end_s: int) -> int | None:
    """The first second after `begin_s`, up to `end_s`, at which the clock is another one."""
    offset = _offset(zone, begin_s)
    while begin_s < end_s:
        next_s = min(begin_s + _BETWEEN_CHANGES_S, end_s)
        if _offset(zone, next_s) != offset:
            seconds = range(begin_s, next_s + 1)
            return seconds[bisect_right(seconds, False, key=lambda at_s: _offset(zone, at_s) != offset)]
        begin_s = next_s
    return None


def _offset(zone: ZoneInfo, at_s: int) -> timedelta:
    return datetime.fromtimestamp(at_s, zone).utcoffset() or timedelta()


def _iterate(cron: str, after: datetime) -> Iterator[datetime]:
    """Raises `ValueError` for what is no cron expression of five fields."""
    expression = MACROS.get(cron.strip().lower(), cron)
    if len(expression.split()) != _CRON_FIELDS:
        raise ValueError(f"{cron!r} is no cron expression: it has five fields, or is one of {_KNOWN}")
    try:
        return CronSim(expression, after)
    except CronSimError as wrong:
        raise ValueError(f"{cron!r} is no cron expression: {wrong}") from wrong


_KNOWN = ", ".join(MACROS)
