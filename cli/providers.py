"""What nodes find by its name: created, or put in the place of what has the name."""

from collections.abc import Mapping
from typing import Any

import click

from cli.client import Client
from cli.output import show_json

Json = Mapping[str, Any]

replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Replace what has this name. All is given anew, but for credentials: without new ones they "
    "stay. Another URL takes new ones.",
)


def save(client: Client, path: str, wanted: Json, *, replace: bool, as_json: bool) -> None:
    """Creates or replaces, and says so. Raises `CommandFailed`, also for a name that is taken.

    `wanted` without `credentials` keeps those that are stored.
    """
    found = client.get(path)["data"] if replace else ()
    before = next((one for one in found if one["name"] == wanted["name"]), None)
    if before is None:
        saved = client.post(path, body=wanted)
    else:
        # As they are shown credentials are masked, and the mask keeps what is stored.
        saved = client.put(path, before["name"], body={"credentials": before["credentials"], **wanted})
    if as_json:
        show_json(saved)
    else:
        click.echo(f"{'replaced' if before else 'created'} {saved['name']}")
