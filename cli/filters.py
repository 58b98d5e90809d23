"""The options by which runs and trigger logs are selected: those of the API, one for each parameter."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from cli.client import Client
from cli.lookup import find_workflow
from schemas.search import MANY, NoFilter, Search, checked

_Command = TypeVar("_Command", bound=Callable[..., None])

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PREFIX = "by_"
# Other options of the same commands are called as these parameters are.
_NAMES = {"workflow_id": "workflow", "app_id": "app", "version": "of-version"}
_METAVARS = {"workflow_id": "WORKFLOW", "status": "STATUS", "where": "CONDITION", "error": "TEXT"}
_MOMENTS = ("since", "until")


class Moment(click.ParamType):
    """A time in RFC 3339, without a zone in UTC, or how long ago: 90s, 15m, 2h, 1d."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """In UTC."""
        if isinstance(value, datetime):
            return value
        if ago := _AGO.fullmatch(value):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time like 2026-01-31T12:00:00Z, and no span like 2h", param, ctx)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def filter_options(model: type[Search], prefix: str = "") -> Callable[[_Command], _Command]:
    """Adds an option for each field of the filter. `prefix`: what their help begins with."""
    options = [
        _option(name, prefix + (field.description or "")) for name, field in model.model_fields.items()
    ]

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _option(name: str, told: str) -> Callable[[Any], Any]:
    flag = "--" + _NAMES.get(name, name).replace("_", "-")
    said = told[0].upper() + told[1:] + "."
    if name in _MOMENTS:
        help_ = said.replace("RFC 3339", "a time, or a span like 2h")
        return click.option(flag, _PREFIX + name, type=Moment(), help=help_)
    metavar = _METAVARS.get(name, name.split("_")[-1].upper())
    if name == "workflow_id":
        said = said.replace(": a,b", ", by id or name")
    return click.option(flag, _PREFIX + name, metavar=metavar, multiple=name in MANY, help=said)


def given(chosen: Mapping[str, Any]) -> bool:
    """Whether any of these options was."""
    return any(value not in (None, ()) for name, value in chosen.items() if name.startswith(_PREFIX))


def query_of(client: Client, model: type[Search], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters for the API. Raises `UsageError` for what cannot be searched for; `CommandFailed`."""
    values = {
        name: value for name in model.model_fields if (value := chosen.get(_PREFIX + name)) not in (None, ())
    }
    if "workflow_id" in values:
        names = [name for text in values["workflow_id"] for name in text.split(",") if name]
        values["workflow_id"] = [find_workflow(client, name)["id"] for name in names]
    try:
        read = checked(model, values)
    except NoFilter as wrong:
        raise click.UsageError(str(wrong)) from wrong
    query: dict[str, Any] = {}
    for name, value in values.items():
        if name in _MOMENTS:
            query[name] = rfc3339(value)
        elif name == "where":
            query[name] = list(value)
        else:
            query[name] = ",".join(getattr(read, name)) if name in MANY else value
    return query


def rfc3339(at: datetime) -> str:
    """In UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
