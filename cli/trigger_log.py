"""`hopline trigger-log`: what became of events, and telling them again."""

from collections.abc import Sequence
from typing import Any

import click

from cli.client import connect
from cli.files import JsonObject
from cli.lookup import find_workflow, workflow_names
from cli.output import duration, json_option, moment, show_json, show_table
from cli.pairs import Pair


@click.group("trigger-log")
def trigger_log() -> None:
    """What became of events, also of those that started nothing."""


@trigger_log.command("list")
@click.option("--workflow", metavar="WORKFLOW", help="Only those of this workflow.")
@click.option("--status", metavar="STATUS", help="PENDING, RUNNING, SUCCESS, FAILED or STOPPED.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
def list_all(workflow: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List trigger logs, the newest first."""
    client = connect()
    workflow_id = find_workflow(client, workflow)["id"] if workflow else None
    status = status.upper() if status else None
    logs = client.get("trigger-logs", workflow_id=workflow_id, status=status, limit=limit)["data"]
    if as_json:
        show_json(logs)
        return
    names = workflow_names(client)
    columns = ("id", "trigger_type", "status", "workflow", "created_at", "elapsed", "retry_count", "error")
    rows = [
        {
            **one,
            "workflow": names.get(one["workflow_id"], one["workflow_id"]),
            "created_at": moment(one["created_at"]),
            "elapsed": duration(one["elapsed_time"]),
        }
        for one in logs
    ]
    show_table(columns, ([row[column] for column in columns] for row in rows))


@trigger_log.command("show")
@click.argument("log_id", metavar="ID")
def show_one(log_id: str) -> None:
    """Show one, whole, as JSON."""
    show_json(connect().get("trigger-logs", log_id))


@trigger_log.command("reinvoke")
@click.argument("log_id", metavar="ID")
@click.option("--input", "-i", "pairs", type=Pair(), multiple=True, help="Another value; repeatable.")
@click.option("--inputs", type=JsonObject(), default="{}", help="Other values as JSON; --input wins.")
@json_option
def reinvoke(log_id: str, pairs: Sequence[tuple[str, str]], inputs: dict[str, Any], as_json: bool) -> None:
    """Start the workflow again with the inputs of the event, or with edited ones."""
    started = connect().post("trigger-logs", log_id, "reinvoke", body={"inputs": {**inputs, **dict(pairs)}})
    if as_json:
        show_json(started)
    else:
        click.echo(started["workflow_run_id"])
