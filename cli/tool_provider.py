"""`hopline tool-provider`: HTTP APIs, MCP servers and workflows whose tools nodes may call."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from cli.client import connect
from cli.files import FILE, read_text, secret_text
from cli.lookup import find_workflow
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair
from cli.plain import one_line
from cli.providers import replace_option, save

_TRANSPORTS = {"streamable-http": "streamable_http", "sse": "sse"}

_USELESS = {"mcp": (), "openapi": ("transport",), "workflow": ("transport", "auth")}
"""Kind of provider -> fields that say nothing about it."""


@click.group("tool-provider")
def tool_provider() -> None:
    """Where the tools of tool and agent nodes come from."""


@tool_provider.command("create")
@click.argument("name")
@click.option("--openapi", "document", type=FILE, help="OpenAPI document of an HTTP API, JSON or YAML.")
@click.option("--server-url", help="Instead of the servers that the document names.")
@click.option("--mcp", "url", metavar="URL", help="Endpoint of an MCP server.")
@click.option("--workflow", metavar="NAME", help="Name or id of a workflow: its runs are the calls.")
@click.option("--transport", type=click.Choice(list(_TRANSPORTS)), help="Of the MCP server.")
@click.option("--description", default="", help="What it is for.")
@click.option("--header", "headers", type=Pair(), multiple=True, help="Sent with each request; repeatable.")
@click.option("--auth", type=click.Choice(["none", "api-key", "bearer", "basic"]), default="none")
@click.option("--auth-in", type=click.Choice(["header", "query"]), help="Where an API key goes.")
@click.option("--auth-name", help="Header or parameter of an API key.  [default: Authorization]")
@click.option("--auth-prefix", help="What stands before an API key.")
@click.option(
    "--credential",
    "credentials",
    type=Pair(),
    multiple=True,
    help="api_key=…, token=…, username=… or password=…; repeatable. NAME=@FILE reads it from a file.",
)
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For a call.")
@replace_option
@json_option
def create(
    *,
    name: str,
    document: Path | None,
    server_url: str | None,
    url: str | None,
    workflow: str | None,
    transport: str | None,
    description: str,
    headers: Sequence[tuple[str, str]],
    auth: str,
    auth_in: str | None,
    auth_name: str | None,
    auth_prefix: str | None,
    credentials: Sequence[tuple[str, str]],
    timeout: float | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Create the provider that nodes call NAME."""
    if sum(given is not None for given in (document, url, workflow)) != 1:
        raise click.UsageError("give one of --openapi FILE, --mcp URL and --workflow NAME")
    client = connect()
    given = {key: secret_text(value) for key, value in credentials}
    how = {"type": auth.replace("-", "_"), "location": auth_in, "name": auth_name, "prefix": auth_prefix}
    wanted = {
        "name": name,
        "kind": "openapi" if document else "mcp" if url else "workflow",
        "document": read_text(document) if document else None,
        "server_url": server_url,
        "url": url,
        "workflow_id": find_workflow(client, workflow)["id"] if workflow else None,
        "transport": _TRANSPORTS[transport] if transport else None,
        "description": description,
        "headers": dict(headers),
        "auth": _given(how),
        "credentials": given if given or auth == "none" else None,
        "timeout_s": timeout,
    }
    save(client, "tool-providers", _given(wanted), replace=replace, as_json=as_json)


@tool_provider.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List tool providers."""
    found = connect().get("tool-providers")["data"]
    if as_json:
        show_json(found)
        return
    columns = ("name", "kind", "auth", "at", "description")
    rows = ({**one, "auth": one["auth"]["type"], "at": _place(one)} for one in found)
    show_table(columns, ([row[column] for column in columns] for row in rows))


@tool_provider.command("show")
@click.argument("name")
@json_option
def show_one(name: str, as_json: bool) -> None:
    """Show a provider and its tools. What an MCP server offers, only workers ask it."""
    client = connect()
    shown = client.get("tool-providers", name)
    tools = client.get("tool-providers", name, "tools")["data"] if shown["kind"] != "mcp" else None
    if as_json:
        show_json(shown if tools is None else {**shown, "tools": tools})
        return
    useless = _USELESS[shown["kind"]]
    told = {name: value for name, value in shown.items() if value not in ("", None, {})}
    show_fields({name: value for name, value in told.items() if name not in useless})
    for tool in tools or ():
        click.echo(f"\n{one_line(_signature(tool))}")
        for line in tool["description"].splitlines():
            click.echo(f"    {one_line(line)}")


@tool_provider.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete a provider: nodes that name it fail from now on, and say so."""
    connect().delete("tool-providers", name)
    click.echo(f"deleted {name}")


def _place(provider: Mapping[str, Any]) -> str | None:
    found: str | None = provider["url"] or provider["server_url"] or provider.get("workflow_id")
    return found


def _signature(tool: Mapping[str, Any]) -> str:
    """`name(a, b?)`: what is optional has a question mark."""
    required = tool["parameters"].get("required") or ()
    names = (name if name in required else f"{name}?" for name in tool["parameters"]["properties"])
    return f"{tool['name']}({', '.join(names)})"


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
