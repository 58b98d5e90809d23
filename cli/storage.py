"""`hopline storage`: the object storage itself, asked at HOPLINE_STORAGE and not through the API."""

import asyncio
from datetime import UTC, datetime

import click
from rich.console import Console

from cli.output import json_option, show_json
from cli.settings import resolve
from schemas.references import VALUES
from transport.files import FILES
from transport.pruning import prune
from transport.settings import StorageSettings
from transport.storage import Storage


@click.group("storage")
def storage() -> None:
    """Files and large values, at HOPLINE_STORAGE."""


@storage.command("prune")
@click.option(
    "--before",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    required=True,
    help="In UTC; what was last written before it is deleted. Keep what the longest run may still need.",
)
@click.option("--files", is_flag=True, help="Files, too, and not only large values of runs.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted.")
@json_option
def prune_old(before: datetime, files: bool, dry_run: bool, as_json: bool) -> None:
    """Delete old objects. Records of the history that refer to them keep their summaries."""
    prefixes = (VALUES, FILES) if files else (VALUES,)
    settings = resolve(StorageSettings)
    since = before.replace(tzinfo=UTC)
    with Console(stderr=True).status("looking for old objects") as status:
        pruned = asyncio.run(
            prune(
                Storage.open(settings),
                prefixes,
                since,
                dry_run=dry_run,
                told=lambda objects: status.update(f"{objects} old objects so far"),
            )
        )
    if as_json:
        show_json({"objects": pruned.objects, "bytes": pruned.size_bytes, "deleted": not dry_run})
    else:
        word = "would delete" if dry_run else "deleted"
        click.echo(f"{word} {pruned.objects} objects, {pruned.size_bytes} bytes")
