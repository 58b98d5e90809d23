"""`hopline run logs`: what the nodes of a run have said."""

from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from cli.client import connect
from cli.output import json_option, show, show_json
from cli.plain import lines, one_line

_STYLES = {"WARN": "yellow", "ERROR": "red"}


@click.command("logs")
@click.argument("run_id", metavar="ID")
@click.option("--node", "node_id", default="", metavar="NODE", help="Only of this node of the graph.")
@json_option
def run_logs(run_id: str, node_id: str, as_json: bool) -> None:
    """Show what the nodes of a run have said: what code has printed, requests, steps of agents, errors."""
    found = connect().pages("runs", run_id, "logs", node_id=node_id or None)
    if as_json:
        show_json(list(found))
        return
    for line in found:
        show(_shown(line))


def _shown(line: Mapping[str, Any]) -> Text:
    time = str(line["timestamp"]).partition("T")[2][:12]
    text = Text(f"{time} ", "dim")
    text.append(f"{line['level']:<5} ", _STYLES.get(str(line["level"]), ""))
    text.append(f"{one_line(str(line['title'] or line['node_id']))}: ", "bold")
    return text.append(lines(str(line["text"])))
