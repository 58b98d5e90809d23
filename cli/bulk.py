"""Telling many runs at once: those that fit a filter, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.progress import track

from cli.client import Client
from cli.errors import CommandFailed
from cli.filters import Moment, filter_options, given, query_of, rfc3339
from cli.lookup import workflow_names
from cli.output import moment, show_json, show_table
from schemas.search import RunFilter


class Telling(NamedTuple):
    """What runs can be told."""

    path: str
    done: str
    statuses: tuple[str, ...]
    """Of the runs that are meant where none is named."""
    others: bool = False
    """Whether runs of other statuses can be told it."""


CANCEL = Telling("cancel", "cancelled", ("RUNNING", "PAUSED"))
REPLAY = Telling("replay", "replayed", ("FAILED",), others=True)
RESUME = Telling("resume", "resumed", ("FAILED",))


@dataclass(frozen=True)
class Bulk:
    """Which runs, and under which name they are told."""

    began_at: datetime
    """The name as well: told again under it, a run is not told twice, and younger runs are not meant."""
    query: Mapping[str, Any]
    """For the list of runs."""
    is_rehearsal: bool

    @property
    def name(self) -> str:
        """For people, and for `Idempotency-Key`."""
        return rfc3339(self.began_at)


_OPTIONS: Sequence[Callable[[Any], Any]] = (
    click.argument("run_id", metavar="[ID]", required=False),
    click.option("--all", "everything", is_flag=True, help="Each run that fits."),
    click.option("--dry-run", is_flag=True, help="With --all: show which runs fit, and leave them alone."),
    click.option(
        "--bulk",
        "began_at",
        type=Moment(),
        help="With --all: go on with the bulk of this time. No run is told twice in one bulk.",
    ),
)


def selectable(command: Callable[..., None]) -> Callable[..., None]:
    """Lets a command take one run, or many: `selected` says which."""
    command = filter_options(RunFilter, "with --all: ")(command)
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def selected(client: Client, run_id: str | None, chosen: Mapping[str, Any]) -> str | Bulk:
    """The run, if one is named. `chosen`: the other options of `selectable`. Raises `UsageError`."""
    is_bulk = given(chosen) or chosen["dry_run"] or chosen["began_at"]
    if run_id is not None and not chosen["everything"] and not is_bulk:
        return run_id
    if run_id is not None or not chosen["everything"]:
        raise click.UsageError("name a run by its id, or say --all and which")
    began_at = chosen["began_at"] or datetime.now(UTC)
    until = min(chosen["by_until"] or began_at, began_at)
    query = query_of(client, RunFilter, {**chosen, "by_until": until})
    return Bulk(began_at, query, chosen["dry_run"])


def tell_all(
    client: Client, bulk: Bulk, telling: Telling, body: Mapping[str, Any] | None = None, *, as_json: bool
) -> None:
    """Tells each run that fits, or shows which do. Raises `CommandFailed` if one could not be told."""
    statuses = bulk.query["status"].split(",") if "status" in bulk.query else telling.statuses
    wrong = [status for status in statuses if status not in telling.statuses]
    if wrong and not telling.others:
        known = " or ".join(telling.statuses)
        raise click.UsageError(f"runs that are {wrong[0]} cannot be {telling.done}: only {known}")
    # All of them are known before the first one is told: what comes of it must not be told as well.
    runs = list(client.pages("runs", **{**bulk.query, "status": ",".join(statuses)}))
    if bulk.is_rehearsal:
        _show(client, runs, telling, as_json=as_json)
        return
    click.echo(f"bulk {bulk.name}", err=True)
    quiet = Console(stderr=True)
    told, failures = [], []
    for run in track(runs, telling.path, console=quiet, transient=True, disable=not quiet.is_terminal):
        try:
            key = f"bulk/{run['id']}/{bulk.name}"
            told.append(client.post("runs", run["id"], telling.path, body=body, idempotency_key=key))
        except CommandFailed as failed:
            failures.append(f"{run['id']}: {failed.message}")
    if as_json:
        show_json({"bulk": bulk.name, telling.done: told, "failed": failures})
    else:
        before = sum(bool(answer.get("duplicate")) for answer in told)
        click.echo(
            f"{telling.done} {len(told)} of {len(runs)}" + (f", {before} of them before" if before else "")
        )
    if failures:
        raise CommandFailed(
            f"{len(failures)} could not be {telling.done}, the first: {failures[0]}\n"
            f"go on with --bulk {bulk.name}"
        )


def _show(client: Client, runs: Sequence[Mapping[str, Any]], telling: Telling, *, as_json: bool) -> None:
    if as_json:
        show_json(runs)
        return
    names = workflow_names(client)
    columns = ("id", "workflow", "status", "created_at", "error")
    rows = (
        {
            **run,
            "workflow": names.get(run["workflow_id"], run["workflow_id"]),
            "created_at": moment(run["created_at"]),
        }
        for run in runs
    )
    show_table(columns, ([row[column] for column in columns] for row in rows))
    click.echo(f"{len(runs)} would be {telling.done}", err=True)
