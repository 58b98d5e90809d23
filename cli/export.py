"""`hopline run export` and `hopline trigger-log export`: what a search finds, as a file."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Client, Download, connect
from cli.errors import CommandFailed
from cli.filters import filter_options, query_of
from schemas.search import LogFilter, RunFilter, Search

_FORMATS = ("csv", "jsonl", "parquet")
_LINES = ("csv", "jsonl")
"""Where the rows that have come can be counted, well enough for a bar."""

_output_option = click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    required=True,
    metavar="FILE",
    help="Where to; - is stdout. A file that was there is replaced once the new one is whole.",
)
_format_option = click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    help="Else by the name of FILE; csv where that says nothing.",
)


@click.command("export")
@_output_option
@_format_option
@click.option(
    "--what",
    type=click.Choice(("runs", "nodes", "trigger-logs")),
    default="runs",
    show_default=True,
    help="The runs that fit, or their node executions, or their trigger logs.",
)
@filter_options(RunFilter)
def export_runs(output: Path, file_format: str | None, what: str, **chosen: Any) -> None:
    """Write the runs that fit, or what belongs to them, into a file."""
    _export("runs", RunFilter, output, file_format, chosen, what=what)


@click.command("export")
@_output_option
@_format_option
@filter_options(LogFilter)
def export_logs(output: Path, file_format: str | None, **chosen: Any) -> None:
    """Write the trigger logs that fit into a file."""
    _export("trigger-logs", LogFilter, output, file_format, chosen)


def _export(
    path: str, model: type[Search], output: Path, file_format: str | None, chosen: Any, **more: str
) -> None:
    client = connect()
    suffix = output.suffix.removeprefix(".")
    named = file_format or (suffix if suffix in _FORMATS else "csv")
    query = {**query_of(client, model, chosen), "format": named, **more}
    if str(output) == "-":
        _fetch(client, (path, "export"), query, sys.stdout.buffer, is_shown=False)
        return
    with _whole(output) as file:
        _fetch(client, (path, "export"), query, file, is_shown=True)


@contextmanager
def _whole(output: Path) -> Iterator[BinaryIO]:
    """A file that gets its name once it is whole. A pipe or a device is written to: a file in its place would
    be the end of it. Raises `CommandFailed` for what cannot be written."""
    try:
        if output.exists() and not output.is_file():
            with output.open("wb") as file:
                yield file
            return
        named = output.resolve()
        # Of its own: another export into the same file may be under way.
        part = named.with_name(f"{named.name}.{token_hex(4)}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(named)
        finally:
            part.unlink(missing_ok=True)
    except OSError as refused:
        raise CommandFailed(f"{output} cannot be written: {refused.strerror}") from refused


def _fetch(
    client: Client, path: tuple[str, ...], query: dict[str, Any], file: BinaryIO, *, is_shown: bool
) -> None:
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        DownloadColumn(),
        console=console,
        transient=True,
        disable=not (is_shown and console.is_terminal),
    ) as progress:
        counted = query["format"] in _LINES
        client.download(path, query, _into(file, progress, query["format"], counted))


def _into(file: BinaryIO, progress: Progress, name: str, counted: bool) -> Callable[[Download], None]:
    def write(download: Download) -> None:
        rows = int(download.headers.get("Hopline-Rows") or 0) or None
        task = progress.add_task(name, total=rows if counted else None)
        for chunk in download.chunks:
            file.write(chunk)
            progress.update(task, advance=chunk.count(b"\n") if counted else 0)

    return write
