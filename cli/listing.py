"""Lists of what workflows have done: of one or all of them, by status, the newest first."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from cli.client import connect
from cli.lookup import find_workflow, workflow_names
from cli.output import duration, json_option, moment, show_json, show_table

_Command = TypeVar("_Command", bound=Callable[..., None])

_FORMS: Mapping[str, Callable[[Any], Any]] = {"created_at": moment, "elapsed_time": duration}


def filters(statuses: str) -> Callable[[_Command], _Command]:
    """The options of a command that lists, which gets them as `show_list` wants them. `statuses`: for the
    help."""
    options = (
        click.option("--workflow", metavar="WORKFLOW", help="Only those of this workflow."),
        click.option("--status", metavar="STATUS", help=statuses),
        click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True),
        json_option,
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def show_list(
    path: str,
    columns: Mapping[str, str],
    *,
    workflow: str | None,
    status: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """Asks the route under `path`, and prints a table. `columns`: heading -> field; the field workflow_id is
    shown by its name. Raises `CommandFailed`."""
    client = connect()
    workflow_id = find_workflow(client, workflow)["id"] if workflow else None
    status = status.upper() if status else None
    found = client.get(path, workflow_id=workflow_id, status=status, limit=limit)["data"]
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
