"""What a run waits for, drawn under its tree."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from cli.output import one_line


def show_pause(pause: Mapping[str, Any]) -> None:
    """The message, the fields and the actions of one pause."""
    metadata = pause["pause_metadata"]
    expires_at = datetime.fromtimestamp(pause["pause_expires_at"], UTC)
    title = metadata["node_title"] or metadata["node_id"]
    click.echo(f"waits at {one_line(title)} until {expires_at:%Y-%m-%d %H:%M:%S} UTC, pause {pause['id']}")
    for line in metadata["message"].splitlines():
        click.echo(f"  | {one_line(line)}")
    for name, field in metadata["inputs_schema"].items():
        needed = "" if field.get("required") else ", optional"
        options = f" ({', '.join(map(one_line, field['options']))})" if field.get("options") else ""
        click.echo(f"  {name}: {field['type']}{options}{needed}")
    actions = [f"{action['id']} ({one_line(action['title'])})" for action in metadata["actions"]]
    if actions:
        click.echo(f"  actions: {', '.join(actions)}")
