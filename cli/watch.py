"""`hopline run watch`: runs as they happen."""

import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

import click
import orjson
from rich.live import Live
from rich.text import Text

from cli.client import Client, Refused, connect
from cli.errors import CommandFailed
from cli.filters import filter_options, given, query_of
from cli.lookup import workflow_names
from cli.output import console, duration
from cli.plain import one_line
from cli.sse import EventReader
from cli.tree import run_tree, status_text
from schemas.search import RunFilter

Json = Mapping[str, Any]

_FINISHED = "workflow_finished"
_ENDED = "stream_ended"
_SUCCEEDED = frozenset({"SUCCEEDED", "PARTIAL_SUCCEEDED"})
_PATIENCE_S = 60.0
"""How long a server that was there is looked for."""
_FOR_NOW = frozenset({429, 503})
_OF_THE_PAST = ("by_since", "by_until")


@click.command("watch")
@click.argument("run_id", metavar="[ID]", required=False)
@filter_options(RunFilter)
@click.option("--json", "as_json", is_flag=True, help="Write a line of JSON for each event.")
def watch(run_id: str | None, as_json: bool, **chosen: Any) -> None:
    """Follow a run until it ends, as the tree of its nodes; exit code 1 unless it succeeded. Without ID,
    follow all runs that fit, a line for each event, until Ctrl-C."""
    if run_id is not None and given(chosen):
        raise click.UsageError("a run is followed by its ID, or all that fit, not both")
    if any(chosen.get(name) is not None for name in _OF_THE_PAST):
        raise click.UsageError("what happens from now on is followed: leave out --since and --until")
    client = connect()
    if run_id is None:
        with suppress(KeyboardInterrupt):
            _watch_all(client, query_of(client, RunFilter, chosen), as_json)
        return
    ended = _watch_one(client, run_id, as_json)
    if ended["status"] not in _SUCCEEDED:
        raise CommandFailed(one_line(f"run {run_id} has ended {ended['status']}: {ended.get('error') or ''}"))


def follow(client: Client, *path: str, **query: Any) -> Iterator[Json]:
    """Events as the API gives them, also from another server when one ends. Does not end by itself. Raises
    `CommandFailed` when nobody answers any more."""
    reader = EventReader()
    lost_at: float | None = None
    while True:
        headers = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        try:
            for line in client.lines(*path, headers=headers, **query):
                lost_at = None
                event = reader.take(line)
                if event is not None and event.name != _ENDED:
                    body: Json = orjson.loads(event.data)
                    yield body
        except CommandFailed as failed:
            is_refused = isinstance(failed, Refused) and failed.status not in _FOR_NOW
            lost_at = time.monotonic() if lost_at is None and reader.last_id else lost_at
            if is_refused or lost_at is None or time.monotonic() > lost_at + _PATIENCE_S:
                raise
        reader.forget()
        time.sleep(reader.retry_s)


def _watch_one(client: Client, run_id: str, as_json: bool) -> Json:
    """The run as it ended."""
    run: Json = {"id": run_id, "status": "PENDING"}
    nodes: dict[str, Json] = {}
    screen = console()
    draws = screen.is_terminal and not as_json
    with Live(run_tree(run, ()), console=screen, auto_refresh=False) if draws else nullcontext() as live:
        for event in follow(client, "runs", run_id, "events"):
            data = event.get("data", {})
            if event["event"].startswith("workflow_"):
                run = data
            elif event["event"].startswith("node_"):
                nodes[data["id"]] = data
            if live is not None:
                live.update(run_tree(run, list(nodes.values())), refresh=True)
            else:
                _write(event, as_json, {})
            if event["event"] == _FINISHED:
                return run
    raise AssertionError("a stream of events goes on until the run has ended")


def _watch_all(client: Client, query: Mapping[str, Any], as_json: bool) -> None:
    names = {} if as_json else workflow_names(client)
    for event in follow(client, "runs", "events", **query):
        _write(event, as_json, names)


def _write(event: Json, as_json: bool, names: Mapping[str, str]) -> None:
    if as_json:
        click.echo(orjson.dumps(event))
    else:
        console().print(_line(event, names))


def _line(event: Json, names: Mapping[str, str]) -> Text:
    """When, which run, what of it, and how it is."""
    data = event.get("data")
    if data is None:
        return Text(one_line(str(event.get("detail", event["event"]))), "yellow")
    at = str(data["finished_at"] or data["created_at"])[11:23]
    line = Text(f"{at}  ")
    line.append(f"{one_line(str(event['workflow_run_id']))}  ", "dim")
    if event["event"].startswith("node_"):
        line.append(f"  {one_line(str(data['title'] or data['node_id']))}")
        line.append(f"  {one_line(str(data['node_type']))}", "dim")
    else:
        line.append(names.get(data["workflow_id"], str(data["workflow_id"])), "bold")
    line.append("  ").append(status_text(str(data["status"])))
    if data["finished_at"] is not None:
        line.append(f"  {duration(data['elapsed_time'])}")
    if data["error"]:
        line.append(f"  {one_line(str(data['error']))}", "red")
    return line
