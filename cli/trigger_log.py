"""`hopline trigger-log`: what became of events, and telling them again."""

from collections.abc import Sequence
from typing import Any

import click

from cli.client import connect
from cli.export import export_logs
from cli.files import JsonObject
from cli.listing import filters, show_list
from cli.output import json_option, show_json
from cli.pairs import Pair
from schemas.search import LogFilter


@click.group("trigger-log")
def trigger_log() -> None:
    """What became of events, also of those that started nothing."""


@trigger_log.command("list")
@filters(LogFilter)
def list_all(**chosen: Any) -> None:
    """Search trigger logs, the newest first."""
    columns = {
        "id": "id", "trigger_type": "trigger_type", "status": "status", "workflow": "workflow_id",
        "created_at": "created_at", "elapsed": "elapsed_time", "retry_count": "retry_count", "error": "error",
    }  # fmt: skip
    show_list("trigger-logs", LogFilter, columns, **chosen)


trigger_log.add_command(export_logs)


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
