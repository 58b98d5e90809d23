"""What a search asks ClickHouse: its filter as a condition with parameters, and the spans to look in."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from schemas.conditions import Condition
from schemas.search import Filter, LogFilter, RunFilter

_FIRST = timedelta(hours=1)
_GROWTH = 6
_LONGEST = timedelta(days=400)
_COLUMNS = {"input": "inputs", "output": "ifNull(outputs, '')"}
_NUMBERS = "('Int64', 'UInt64', 'Double')"
_EXACT = 2**53
"""Whole numbers from there on are not all different as Float64."""
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}")
_UUIDS = frozenset({"id", "event_id", "workflow_run_id"})
_EQUAL = ("app_id", "created_by", "event_id", "trigger_id", "app_trigger_id", "workflow_run_id")
_RANGES = {"min_tokens": "total_tokens >=", "max_tokens": "total_tokens <="}


@dataclass(frozen=True, slots=True)
class Span:
    """Of time; None is without an end on that side. `start` is in it, `end` is not."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(slots=True)
class Where:
    """A condition that grows: all of its terms must hold. Values are parameters, never part of the text."""

    place: list[str] = field(default_factory=list)
    """Terms on what the rows are sorted by: whose they are, and when."""
    terms: list[str] = field(default_factory=list)
    """All others."""
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def sql(self) -> str:
        """The whole of it."""
        return " AND ".join((*self.place, *self.terms)) or "1"

    def value(self, value: str, kind: str = "String") -> str:
        """A parameter of that type, to stand in a term."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{kind}}}"

    def equal(self, name: str, value: str | None) -> None:
        """A column and what it must be; None is anything."""
        if value is not None:
            self.terms.append(f"{name} = {self.value(value, 'UUID' if name in _UUIDS else 'String')}")

    def among(self, name: str, values: Sequence[str]) -> None:
        """A column and what it must be one of; none is anything."""
        if values:
            self.terms.append(f"{name} IN ({', '.join(map(self.value, values))})")

    def lies(self, tenant_id: str | None, time: str, span: Span) -> None:
        """Whose the rows are, None for anybody's, and the span that their time must be in."""
        if tenant_id is not None:
            self.place.append(f"tenant_id = {self.value(tenant_id)}")
        for operator, at in ((">=", span.start), ("<", span.end)):
            if at is not None:
                self.place.append(f"{time} {operator} {self.value(clock(at), 'DateTime64(6)')}")

    def contains(self, name: str, text: str | None) -> None:
        """A column and what it must have in it, in letters of either case."""
        if text:
            self.terms.append(f"positionCaseInsensitiveUTF8({name}, {self.value(text)}) > 0")


def matching(chosen: Filter, tenant_id: str | None, span: Span) -> Where | None:
    """The rows of that time which fit; None where it is known that none does, since an id is none."""
    if any(value and not is_uuid(value) for name in _UUIDS if (value := getattr(chosen, name, None))):
        return None
    found = Where()
    found.lies(tenant_id, "created_at" if isinstance(chosen, LogFilter) else "event_at", span)
    for name in _EQUAL:
        found.equal(name, getattr(chosen, name, None))
    found.among("workflow_id", chosen.workflow_id)
    found.among("status", chosen.status)
    if isinstance(chosen, LogFilter):
        found.among("trigger_type", chosen.trigger_type)
    else:
        found.among("version", chosen.version)
        _triggered(found, chosen, tenant_id, span)
    _durations(found, chosen)
    for name, comparison in _RANGES.items():
        if (value := getattr(chosen, name)) is not None:
            found.terms.append(f"{comparison} {found.value(str(value), 'UInt64')}")
    found.contains("error", chosen.error)
    # Last, since they cost most.
    found.terms += [_of_value(found, one) for one in chosen.where]
    return found


def _triggered(found: Where, chosen: RunFilter, tenant_id: str | None, span: Span) -> None:
    """A run does not know what has begun it, its trigger log does, which has the time of the same event."""
    if not chosen.trigger_type:
        return
    logs = Where(parameters=found.parameters)
    logs.lies(tenant_id, "created_at", span)
    logs.among("trigger_type", chosen.trigger_type)
    found.terms.append(
        f"trigger_log_id IN (SELECT toNullable(id) FROM workflow_trigger_log_changes WHERE {logs.sql})"  # noqa: S608
    )


def _durations(found: Where, chosen: Filter) -> None:
    if chosen.min_duration is None and chosen.max_duration is None:
        return
    # What goes on has taken no time yet.
    found.terms.append("finished_at IS NOT NULL")
    for operator, seconds in ((">=", chosen.min_duration), ("<=", chosen.max_duration)):
        if seconds is not None:
            found.terms.append(f"elapsed_time {operator} {found.value(repr(seconds), 'Float64')}")


def _of_value(found: Where, condition: Condition) -> str:
    column = _COLUMNS[condition.of]
    steps = [str(step + 1) if isinstance(step, int) else found.value(step) for step in condition.path]
    compared = _compared(found, condition, column, ", ".join((column, *steps)))
    # ClickHouse counts the members of an object as well.
    lists = [i for i, step in enumerate(condition.path) if isinstance(step, int)]
    if lists:
        are_lists = " AND ".join(f"JSONType({', '.join((column, *steps[:i]))}) = 'Array'" for i in lists)
        is_null = condition.operator in ("=", "!=") and condition.value is None
        compared = f"(NOT ({are_lists}) OR {compared})" if is_null else f"({are_lists} AND {compared})"
    return f"NOT ({compared})" if condition.operator == "!=" else compared


def _compared(found: Where, condition: Condition, column: str, at: str) -> str:
    """What `!=` negates, too."""
    if condition.operator == "~":
        return _contained(found, condition, at)
    if condition.operator in ("=", "!="):
        return _equals(found, condition, column, at)
    if isinstance(condition.value, str):
        value = found.value(condition.text)
        return f"(JSONType({at}) = 'String' AND JSONExtractString({at}) {condition.operator} {value})"
    number = found.value(repr(float(condition.value or 0)), "Float64")
    return f"(JSONType({at}) IN {_NUMBERS} AND JSONExtractFloat({at}) {condition.operator} {number})"


def _contained(found: Where, condition: Condition, at: str) -> str:
    text = found.value(condition.text)
    if not condition.path:
        return f"positionCaseInsensitiveUTF8({at}, {text}) > 0"
    value = f"if(JSONType({at}) = 'String', JSONExtractString({at}), JSONExtractRaw({at}))"
    return f"positionCaseInsensitiveUTF8({value}, {text}) > 0"


def _equals(found: Where, condition: Condition, column: str, at: str) -> str:
    value, text = condition.value, found.value(condition.text)
    is_text = f"(JSONType({at}) = 'String' AND JSONExtractString({at}) = {text})"
    if value is None:
        return f"(JSONType({at}) = 'Null' OR {is_text})"
    if isinstance(value, bool):
        return f"(JSONType({at}) = 'Bool' AND JSONExtractBool({at}) = {int(value)} OR {is_text})"
    if isinstance(value, str):
        # Looking for the bytes first is ten times as fast as reading JSON, and most rows do not have them.
        return f"(position({column}, {text}) > 0 AND {is_text})" if _is_plain(value) else is_text
    if isinstance(value, int) and abs(value) >= _EXACT:
        return f"(JSONExtractRaw({at}) = {text} OR {is_text})"
    number = found.value(repr(float(value)), "Float64")
    return f"(JSONType({at}) IN {_NUMBERS} AND JSONExtractFloat({at}) = {number} OR {is_text})"


def _is_plain(text: str) -> bool:
    """Whether every writer of JSON gives it as it is."""
    return text.isascii() and "/" not in text and orjson.dumps(text)[1:-1] == text.encode()


def spans(span: Span, now: datetime) -> Iterator[Span]:
    """The span in pieces, the newest first, each longer than the one before: most lists are full within the
    last hour, which is quickly read, and what is rare is looked for in all that is left."""
    end, start = span.end, min(span.end or now, now)
    length = _FIRST
    while length < _LONGEST:
        start -= length
        if span.start is not None and start <= span.start:
            break
        yield Span(start, end)
        end, length = start, length * _GROWTH
    yield Span(span.start, end)


def clock(at: datetime) -> str:
    """As ClickHouse reads it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def is_uuid(text: str) -> bool:
    """Whether a column of UUIDs can have it. Python reads more than ClickHouse does."""
    return _UUID.fullmatch(text) is not None
