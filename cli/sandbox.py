"""`hopline sandbox`: what code nodes may import, and whether they have a network."""

import click

from cli.client import connect
from cli.errors import CommandFailed
from cli.output import json_option, show_fields, show_json
from cli.settings import resolve
from streams.executors.sandbox.errors import SandboxError
from streams.executors.sandbox.packages import ensure_installed
from streams.executors.settings import SandboxSettings


@click.group("sandbox")
def sandbox() -> None:
    """Prepare the sandbox of code nodes."""


@sandbox.command("install")
@json_option
def install(as_json: bool) -> None:
    """Install HOPLINE_SANDBOX_PACKAGES below HOPLINE_DATA_DIR, unless they are there.

    A worker does so itself when it starts; with this an image or an offline machine is prepared.
    """
    settings = resolve(SandboxSettings)
    try:
        folder = ensure_installed(settings.packages, settings.data_dir)
    except SandboxError as error:
        raise CommandFailed(str(error)) from error
    found = {"packages": list(settings.packages), "folder": str(folder) if folder else None}
    if as_json:
        show_json(found)
    elif folder is None:
        click.echo("HOPLINE_SANDBOX_PACKAGES is empty: code nodes have the standard library")
    else:
        show_fields({"packages": ", ".join(settings.packages), "folder": str(folder)})


@sandbox.command("network")
@click.argument("state", type=click.Choice(["on", "off"]))
def network(state: str) -> None:
    """Let the code nodes of this tenant use the network, or not.

    It leads through the egress guard, and only where the workers have HOPLINE_SANDBOX_NETWORK.
    """
    client, body = connect(), {"name": "default", "network": state == "on"}
    if any(policy["name"] == "default" for policy in client.get("sandbox-policies")["data"]):
        client.put("sandbox-policies", "default", body=body)
    else:
        client.post("sandbox-policies", body=body)
    click.echo(f"code nodes have the network {state}")
