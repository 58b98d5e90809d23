"""What a run, or a node that was run alone, waits for: where it is answered, and how it is shown."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from cli.client import Client, Refused
from cli.output import duration, show_fields, show_json
from cli.plain import one_line

_NOT_FOUND = 404
RUNS, EXECUTIONS = "runs", "node-executions"
"""Paths of the API."""


def find_pauses(client: Client, wanted: str) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """RUNS or EXECUTIONS, and what waits there. Raises `Refused` for an id of neither."""
    try:
        return RUNS, client.get(RUNS, wanted)["pauses"]
    except Refused as no_run:
        if no_run.status != _NOT_FOUND:
            raise
        try:
            execution = client.get(EXECUTIONS, wanted)
        except Refused:
            raise no_run from None
    pause = (execution["execution_metadata"] or {}).get("pause")
    return EXECUTIONS, [pause] if pause and execution["status"] == "paused" else []


def show_execution(execution: Mapping[str, Any], *, as_json: bool) -> None:
    """What a node did that was run alone, or what it asks."""
    if as_json:
        show_json(execution)
        return
    shown = ("id", "node_type", "title", "status", "inputs", "process_data", "outputs", "error")
    elapsed = duration(execution["elapsed_time"])
    show_fields({name: execution[name] for name in shown} | {"elapsed": elapsed})
    if execution["status"] == "paused":
        show_pause(execution["execution_metadata"]["pause"])
        asks = "inputs_schema" in execution["execution_metadata"]["pause"]["pause_metadata"]
        verb = "answer" if asks else "go on at once"
        click.echo(f"{verb} with: hopline run resume {execution['id']}")


def show_pause(pause: Mapping[str, Any]) -> None:
    """The message of one pause, and why it is one, or the fields and actions that it asks for."""
    metadata = pause["pause_metadata"]
    expires_at = datetime.fromtimestamp(pause["pause_expires_at"], UTC)
    title = metadata["node_title"] or metadata["node_id"]
    click.echo(f"waits at {one_line(title)} until {expires_at:%Y-%m-%d %H:%M:%S} UTC, pause {pause['id']}")
    for line in metadata["message"].splitlines():
        click.echo(f"  | {one_line(line)}")
    if metadata.get("reason"):
        click.echo(f"  reason: {one_line(metadata['reason'])}")
    for name, field in metadata.get("inputs_schema", {}).items():
        needed = "" if field.get("required") else ", optional"
        options = f" ({', '.join(map(one_line, field['options']))})" if field.get("options") else ""
        click.echo(f"  {one_line(name)}: {field['type']}{options}{needed}")
    actions = [one_line(f"{action['id']} ({action['title']})") for action in metadata.get("actions", ())]
    if actions:
        click.echo(f"  actions: {', '.join(actions)}")
