"""What runs and trigger logs can be searched by: one model for the API, its document and the command line.

A field is a parameter, its description is what the parameter says of itself. What is not given is any.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from schemas.conditions import Condition, read_condition
from schemas.errors import reason
from schemas.triggers.kinds import KINDS, MANUAL

RUN_STATUSES: Final = ("RUNNING", "PAUSED", "SUCCEEDED", "PARTIAL_SUCCEEDED", "FAILED", "STOPPED")
LOG_STATUSES: Final = ("PENDING", "RUNNING", "SUCCESS", "FAILED", "STOPPED")
TRIGGER_TYPES: Final = tuple(sorted({*KINDS, MANUAL}))

_MAX_CONDITIONS = 20
_MAX_VALUES = 100
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Nothing has happened before or after, and ClickHouse has no times much further away."""


def _listed(value: Any) -> tuple[str, ...]:
    """Of texts that may be lists themselves: FAILED,STOPPED."""
    given = [value] if isinstance(value, str) else list(value)
    words = tuple(word for text in given for part in text.split(",") if (word := part.strip()))
    if not words:
        raise ValueError("is empty: name one, or leave it out")
    if len(words) > _MAX_VALUES:
        raise ValueError(f"has {len(words)} values, at most {_MAX_VALUES} are possible")
    return tuple(dict.fromkeys(words))


def _one_of(known: Sequence[str]) -> BeforeValidator:
    def check(value: Any) -> tuple[str, ...]:
        words = tuple(word.upper() for word in _listed(value))
        for word in words:
            if word not in known:
                raise ValueError(f"is one of {', '.join(known)}, not {word!r}")
        return words

    return BeforeValidator(check)


def reachable(at: datetime) -> datetime:
    """A time that means "ever" becomes the first or the last that anything can have."""
    return min(max(at, _EARLIEST), _LATEST)


def moment(value: str) -> datetime:
    """A time in RFC 3339, as a query string has it, made `reachable`; without a zone it is UTC. Raises
    `ValueError`, whose text goes on from a name."""
    try:
        # In a query string a plus is a space.
        at = datetime.fromisoformat(value.replace(" ", "+") if value.count("T") else value)
    except ValueError as wrong:
        raise ValueError(f"is a time like 2026-01-31T12:00:00Z, not {value!r}") from wrong
    return reachable(at if at.tzinfo else at.replace(tzinfo=UTC))


def _moment(value: Any) -> Any:
    return moment(value) if isinstance(value, str) else value


def _conditions(value: Any) -> Any:
    given = [value] if isinstance(value, str) else list(value)
    if len(given) > _MAX_CONDITIONS:
        raise ValueError(f"is given {len(given)} times, at most {_MAX_CONDITIONS} are possible")
    return tuple(read_condition(one) if isinstance(one, str) else one for one in given)


def _amount(kind: type[int] | type[float], unit: str) -> BeforeValidator:
    def check(value: Any) -> Any:
        try:
            amount = kind(value)
        except (TypeError, ValueError):
            amount = -1
        if not 0 <= amount < 1e15:
            raise ValueError(f"is a number of {unit} from 0 on, not {value!r}")
        return amount

    return BeforeValidator(check)


Statuses = tuple[str, ...]
Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]
Seconds = Annotated[float | None, _amount(float, "seconds")]
Tokens = Annotated[int | None, _amount(int, "tokens")]
Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_conditions)]


class Search(BaseModel):
    """What runs and trigger logs are both searched by."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    workflow_id: Texts = Field(default=(), description="of this workflow, or of one of these: a,b")
    app_id: str | None = Field(default=None, description="of this app")
    trigger_type: Annotated[Statuses, _one_of(TRIGGER_TYPES)] = Field(
        default=(),
        description=f"begun by a trigger of this type, or of one of these: {', '.join(TRIGGER_TYPES)}",
    )
    created_by: str | None = Field(
        default=None, description="begun by whoever is called that: a person, a key, a trigger"
    )
    error: str | None = Field(
        default=None, description="whose error has this in it, in letters of either case"
    )
    where: Conditions = Field(
        default=(),
        description="whose inputs or outputs are like this: input.customer.tier=gold, "
        "output.items[0].price>=10, input~refund; may be given several times",
    )
    min_duration: Seconds = Field(default=None, description="that took so many seconds or more")
    max_duration: Seconds = Field(default=None, description="that took so many seconds or less")
    min_tokens: Tokens = Field(default=None, description="that used so many tokens or more")
    max_tokens: Tokens = Field(default=None, description="that used so many tokens or less")
    since: Moment = Field(default=None, description="whose event came then or later; RFC 3339")
    until: Moment = Field(default=None, description="whose event came before that; RFC 3339")


class RunFilter(Search):
    """Which runs."""

    status: Annotated[Statuses, _one_of(RUN_STATUSES)] = Field(
        default=(), description=f"of this status, or of one of these: {', '.join(RUN_STATUSES)}"
    )
    version: Texts = Field(default=(), description="of this version of the workflow, or of one of these")


class LogFilter(Search):
    """Which trigger logs."""

    status: Annotated[Statuses, _one_of(LOG_STATUSES)] = Field(
        default=(), description=f"of this status, or of one of these: {', '.join(LOG_STATUSES)}"
    )
    event_id: str | None = Field(default=None, description="of this delivery")
    trigger_id: str | None = Field(
        default=None, description="of the event of this name, however often it was delivered"
    )
    app_trigger_id: str | None = Field(default=None, description="of this trigger")
    workflow_run_id: str | None = Field(default=None, description="of this run")


Filter = RunFilter | LogFilter
_F = TypeVar("_F", bound=Search)
MANY: Final = frozenset({"workflow_id", "trigger_type", "where", "status", "version"})
"""What can be given several times."""


class NoFilter(Exception):
    """What was asked for cannot be searched for; the message says what to change."""


def read_filter(model: type[_F], given: Iterable[tuple[str, str]]) -> _F:
    """From names and texts, as they come in a query string. Raises `NoFilter`: a parameter that nobody knows
    would otherwise select everything."""
    texts: dict[str, list[str]] = {}
    for name, text in given:
        texts.setdefault(name, []).append(text)
    for name, values in texts.items():
        if name not in model.model_fields:
            raise NoFilter(_unknown(name, model.model_fields))
        if len(values) > 1 and name not in MANY:
            raise NoFilter(f"{name} is given {len(values)} times: give it once")
    return checked(model, {name: vs if name in MANY else vs[0] for name, vs in texts.items()})


def checked(model: type[_F], given: Mapping[str, Any]) -> _F:
    """Likewise, of names that are known."""
    try:
        found = model.model_validate(given)
    except ValidationError as wrong:
        rows = wrong.errors(include_url=False, include_context=False, include_input=False)
        raise NoFilter("; ".join(f"{row['loc'][0]} {reason(row)}" for row in rows)) from wrong
    for least, most in (("min_duration", "max_duration"), ("min_tokens", "max_tokens"), ("since", "until")):
        low, high = getattr(found, least), getattr(found, most)
        if low is not None and high is not None and low > high:
            raise NoFilter(f"{least} is more than {most}: nothing fits")
    return found


def _unknown(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    said = f"did you mean {near[0]}?" if near else f"it can be searched by {', '.join(sorted(known))}"
    return f"there is no parameter {name}: {said}"
