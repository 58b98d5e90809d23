"""`hopline dlq`: records that could not be handled, and trying them again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from cli.client import Client, Refused, connect
from cli.errors import CommandFailed
from cli.filters import Moment, rfc3339
from cli.output import json_option, moment, show_fields, show_json, show_table
from cli.plain import lines

_AT_ONCE = 20

Letter = dict[str, Any]


@click.group("dlq")
def dlq() -> None:
    """Dead letters: records that could not be decoded, matched, executed or written."""


_FILTERS: Sequence[Callable[[Any], Any]] = (
    click.option("--topic", metavar="TOPIC", help="That came from this topic, such as trigger.events."),
    click.option("--stage", metavar="STAGE", help="That this stage gave up on: route, engine, sink, ..."),
    click.option("--reason", metavar="TEXT", help="Whose reason has this in it."),
    click.option("--since", type=Moment(), help="Given up on then or later; a time, or a span like 2h."),
    click.option("--until", type=Moment(), help="Given up on before that."),
)


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


@dlq.command("list")
@click.option("--status", type=click.Choice(["PENDING", "REPLAYED"], case_sensitive=False))
@_filtered
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def list_all(status: str | None, limit: int, as_json: bool, **chosen: Any) -> None:
    """List dead letters, the newest first."""
    letters = connect().get("dead-letters", status=status, limit=limit, **_query(chosen))["data"]
    if as_json:
        show_json(letters)
    else:
        _show(letters)


@dlq.command("show")
@click.argument("letter_id", metavar="ID")
@json_option
def show_one(letter_id: str, as_json: bool) -> None:
    """Show a dead letter: where it was, what it holds, why nobody could handle it."""
    letter = connect().get("dead-letters", letter_id)
    if as_json:
        show_json(letter)
        return
    stack = letter.pop("stack", "")
    show_fields(letter)
    if stack:
        click.echo(f"\n{lines(stack)}")


@dlq.command("replay")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are pending and fit the options below.")
@_filtered
@click.option("--dry-run", is_flag=True, help="With --all: show which letters fit, and leave them alone.")
@json_option
def replay(letter_ids: Sequence[str], everything: bool, dry_run: bool, as_json: bool, **chosen: Any) -> None:
    """Send the original bytes to the topic they came from, again.

    What fails again is the same letter, with one more attempt. What was replayed before is not sent twice.
    """
    if bool(letter_ids) == everything or (letter_ids and (dry_run or any(chosen.values()))):
        raise click.UsageError("name dead letters by their ids, or say --all and which")
    client = connect()
    if not everything:
        _tell(_replayed(client, letter_ids), len(letter_ids), as_json=as_json)
        return
    # All of them are known before the first one is sent: what fails again must not be sent again. The oldest
    # first, as the records once came.
    query = _query({**chosen, "until": chosen["until"] or datetime.now(UTC)})
    letters = list(client.pages("dead-letters", **query, status="PENDING"))[::-1]
    if not dry_run:
        _tell(_replayed(client, [letter["id"] for letter in letters]), len(letters), as_json=as_json)
    elif as_json:
        show_json(letters)
    else:
        _show(letters)
        click.echo(f"{len(letters)} would be replayed", err=True)


def _replayed(client: Client, letter_ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """What became of each, with a progress bar. A call that fails is told of each letter in it."""
    quiet = Console(stderr=True)
    progress = track(
        range(0, len(letter_ids), _AT_ONCE),
        "Replaying",
        console=quiet,
        transient=True,
        disable=not quiet.is_terminal,
    )
    for begin in progress:
        ids = list(letter_ids[begin : begin + _AT_ONCE])
        try:
            yield from client.post("dead-letters", "replay", body={"ids": ids})["data"]
        except Refused as refused:
            yield from ({"id": one, "outcome": "refused", "detail": refused.message} for one in ids)


def _tell(outcomes: Iterable[Mapping[str, Any]], wanted: int, *, as_json: bool) -> None:
    found: dict[str, list[Mapping[str, Any]]] = {"replayed": [], "repeated": [], "refused": []}
    for outcome in outcomes:
        found[outcome["outcome"]].append(outcome)
    done, before = len(found["replayed"]) + len(found["repeated"]), len(found["repeated"])
    failures = [f"{one['id']}: {one['detail']}" for one in found["refused"]]
    if as_json:
        show_json({"replayed": done, "repeated": before, "failed": failures})
    else:
        click.echo(f"replayed {done} of {wanted}" + (f", {before} of them before" if before else ""))
    if failures:
        raise CommandFailed(f"{len(failures)} could not be replayed, the first: {failures[0]}")


def _query(chosen: Mapping[str, Any]) -> dict[str, Any]:
    times = {name: rfc3339(chosen[name]) for name in ("since", "until") if chosen[name]}
    return {"since": None, "until": None, **chosen, **times}


def _show(letters: Sequence[Letter]) -> None:
    columns = ("id", "created_at", "status", "attempts", "stage", "topic", "partition", "offset", "reason")
    rows = ({**one, "created_at": moment(one["created_at"])} for one in letters)
    show_table(columns, ([row[column] for column in columns] for row in rows))
