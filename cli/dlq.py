"""`hopline dlq`: records that could not be handled, and trying them again."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.progress import track

from cli.client import Client, connect
from cli.errors import CommandFailed
from cli.output import json_option, lines, moment, show_fields, show_json, show_table

_PAGE = 500


@click.group("dlq")
def dlq() -> None:
    """Dead letters: records that could not be decoded, matched or executed."""


@dlq.command("list")
@click.option("--status", type=click.Choice(["PENDING", "REPLAYED"], case_sensitive=False))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def list_all(status: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, the newest first."""
    letters = connect().get("dead-letters", status=status, limit=limit)["data"]
    if as_json:
        show_json(letters)
        return
    columns = ("id", "created_at", "status", "stage", "topic", "partition", "offset", "reason")
    rows = ({**one, "created_at": moment(one["created_at"])} for one in letters)
    show_table(columns, ([row[column] for column in columns] for row in rows))


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
@click.option("--all", "everything", is_flag=True, help="All that are pending.")
@json_option
def replay(letter_ids: Sequence[str], everything: bool, as_json: bool) -> None:
    """Send the original bytes to the topic they came from, again."""
    if bool(letter_ids) == everything:
        raise click.UsageError("name dead letters by their ids, or say --all")
    client = connect()
    wanted = list(_pending(client)) if everything else list(letter_ids)
    failures: list[str] = []
    quiet = Console(stderr=True)
    for letter_id in track(wanted, "Replaying", console=quiet, transient=True, disable=not quiet.is_terminal):
        try:
            client.post("dead-letters", letter_id, "replay")
        except CommandFailed as failed:
            failures.append(f"{letter_id}: {failed.message}")
    replayed = len(wanted) - len(failures)
    if as_json:
        show_json({"replayed": replayed, "failed": failures})
    else:
        click.echo(f"replayed {replayed} of {len(wanted)}")
    if failures:
        raise CommandFailed(f"{len(failures)} could not be replayed, the first: {failures[0]}")


def _pending(client: Client) -> Iterator[str]:
    """The ids of all pending letters, page by page, before any of them changes."""
    cursor: Any = None
    while True:
        page = client.get("dead-letters", status="PENDING", limit=_PAGE, cursor=cursor)
        yield from (letter["id"] for letter in page["data"])
        cursor = page.get("next_cursor")
        if not cursor:
            return
