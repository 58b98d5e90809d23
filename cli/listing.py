"""Lists of what workflows have done, the newest first."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from cli.client import connect
from cli.filters import filter_options, query_of
from cli.lookup import workflow_names
from cli.output import duration, json_option, moment, show_json, show_table
from schemas.search import Search

_Command = TypeVar("_Command", bound=Callable[..., None])

_FORMS: Mapping[str, Callable[[Any], Any]] = {"created_at": moment, "elapsed_time": duration}


def filters(model: type[Search]) -> Callable[[_Command], _Command]:
    """The options of a command that lists, which gets them as `show_list` wants them."""
    options = (
        click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True),
        json_option,
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return filter_options(model)(command)

    return decorate


def show_list(
    path: str,
    model: type[Search],
    columns: Mapping[str, str],
    *,
    limit: int,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Asks the route under `path`, and prints a table. `columns`: heading -> field; the field workflow_id is
    shown by its name. `chosen`: the options of the filter. Raises `CommandFailed`, `UsageError`."""
    client = connect()
    found = client.get(path, **query_of(client, model, chosen), limit=limit)["data"]
    if as_json:
        show_json(found)
        return
    names = workflow_names(client)
    show_table(tuple(columns), ([_cell(row, field, names) for field in columns.values()] for row in found))


def _cell(row: Mapping[str, Any], field: str, names: Mapping[str, str]) -> Any:
    value = row[field]
    if field == "workflow_id":
        return names.get(value, value)
    return _FORMS[field](value) if field in _FORMS else value
