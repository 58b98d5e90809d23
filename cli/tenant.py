"""`hopline tenant`: erasing what a deployment has of a tenant."""

import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

from cli.client import Client, connect
from cli.errors import CommandFailed
from cli.output import json_option, moment, show_fields, show_json, show_table
from cli.plain import one_line

_LOOK_S = 1.0


@click.group("tenant")
def tenant() -> None:
    """Tenants, for the operator: with the key of the deployment (HOPLINE_API_KEY)."""


@tenant.command("erase")
@click.argument("tenant_id", metavar="TENANT")
@click.option("--reason", default="", help="Kept with the request, so it should name nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", is_flag=True, help="Wait until all is gone.")
@json_option
def erase(tenant_id: str, reason: str, yes: bool, wait: bool, as_json: bool) -> None:
    """Erase all of a tenant: workflows, triggers, keys, runs, files. Nothing brings it back."""
    if not yes:
        click.confirm(f"Erase all of tenant {tenant_id}?", abort=True, err=True)
    client = connect()
    found = client.post("erasures", body={"tenant_id": tenant_id, "reason": reason})
    if wait:
        found = _wait(client, found)
    _show(found, as_json=as_json)


@tenant.command("erasures")
@json_option
def list_all(as_json: bool) -> None:
    """List requests to erase, the newest first."""
    found = connect().get("erasures")["data"]
    if as_json:
        show_json(found)
        return
    columns = ("id", "tenant_id", "status", "step", "created_at", "created_by", "error")
    rows = ({**one, "created_at": moment(one["created_at"])} for one in found)
    show_table(columns, ([row[column] for column in columns] for row in rows))


@tenant.command("erasure")
@click.argument("erasure_id", metavar="ID")
@json_option
def show_one(erasure_id: str, as_json: bool) -> None:
    """Show a request, and what has been deleted."""
    _show(connect().get("erasures", erasure_id), as_json=as_json)


def _wait(client: Client, found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Until it is over, however long. Raises `CommandFailed`."""
    console = Console(stderr=True)
    with console.status(one_line(found["step"])) as status:
        while found["status"] == "RUNNING":
            time.sleep(_LOOK_S)
            try:
                found = client.get("erasures", found["id"])
            except CommandFailed as failed:
                raise CommandFailed(f"{failed.message}\nthe request goes on: {found['id']}") from failed
            status.update(one_line(found["error"] or found["step"]))
    return found


def _show(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(found)
    else:
        counts = {f"  {name}": number for name, number in sorted(found["counts"].items())}
        show_fields({**{name: value for name, value in found.items() if name != "counts"}, **counts})
    if found["status"] == "COMPLETED" and not any(found["counts"].values()):
        click.echo(f"there was nothing of tenant {found['tenant_id']}: is that its id?", err=True)
