"""`hopline subscription`: what providers send, through plugins."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson

from cli.client import Client, connect
from cli.errors import CommandFailed
from cli.files import JsonObject, secret_text
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair
from cli.plain import one_line

Json = Mapping[str, Any]


@click.group("subscription")
def subscription() -> None:
    """What providers send to plugin triggers."""


@subscription.command("plugins")
@json_option
def list_plugins(as_json: bool) -> None:
    """List the plugins that are installed, with what a subscription to each takes."""
    found = connect().get("plugins")["data"]
    if as_json:
        show_json(found)
        return
    rows = (
        (one["provider"], ", ".join(_names(one["parameters"])), _credentials(one), one["description"])
        for one in found
    )
    show_table(("provider", "parameters", "credentials", "description"), rows)


@subscription.command("create")
@click.argument("name")
@click.option("--provider", required=True, help="As `hopline subscription plugins` lists them.")
@click.option(
    "--parameter",
    "pairs",
    type=Pair(),
    multiple=True,
    help="NAME=VALUE, read as JSON where it is some, else a text; repeatable.",
)
@click.option("--parameters", type=JsonObject(), default="{}", help="All of them. Options above win.")
@click.option(
    "--credential",
    "credentials",
    type=Pair(),
    multiple=True,
    help="Of an API key, such as api_key=…; repeatable. NAME=@FILE reads it from a file.",
)
@json_option
def create(
    name: str,
    provider: str,
    pairs: Sequence[tuple[str, str]],
    parameters: dict[str, Any],
    credentials: Sequence[tuple[str, str]],
    as_json: bool,
) -> None:
    """Subscribe to a provider. Without credentials it takes OAuth, and where its user agrees is printed."""
    body = {
        "name": name,
        "provider": provider,
        "parameters": {**parameters, **{key: _value(text) for key, text in pairs}},
        "credentials": {key: secret_text(value) for key, value in credentials},
    }
    made = connect().post("subscriptions", body=body)
    if as_json:
        show_json(made)
        return
    fields = {name: made[name] for name in ("id", "status", "endpoint")}
    url = made.get("authorize_url")
    show_fields({**fields, "authorize": url} if url else fields)


@subscription.command("list")
@click.option("--provider", help="Only those at this provider.")
@json_option
def list_all(provider: str | None, as_json: bool) -> None:
    """List subscriptions with how they are."""
    found = connect().get("subscriptions", provider=provider)["data"]
    if as_json:
        show_json(found)
        return
    columns = ("id", "name", "provider", "status", "workflows", "error")
    rows = ({**one, "status": _status(one), "workflows": one["workflows_in_use"]} for one in found)
    show_table(columns, ([row[column] for column in columns] for row in rows))


@subscription.command("show")
@click.argument("name", metavar="NAME|ID")
@json_option
def show_one(name: str, as_json: bool) -> None:
    """Show a subscription, its secrets masked."""
    found = _find(connect(), name)
    if as_json:
        show_json(found)
    else:
        show_fields({name: value for name, value in found.items() if value not in ("", {}, [], None)})


@subscription.command("authorize")
@click.argument("name", metavar="NAME|ID")
@json_option
def authorize(name: str, as_json: bool) -> None:
    """Print where the user of a subscription agrees to it, for the first time or again."""
    client = connect()
    found = _find(client, name)
    answer = client.get(
        "oauth", found["provider"], "authorize", subscription_id=found["id"], redirect="false"
    )
    if as_json:
        show_json(answer)
    else:
        click.echo(answer["authorize_url"])


@subscription.command("change")
@click.argument("name", metavar="NAME|ID")
@click.option("--name", "new_name", help="What it is called from now on.")
@click.option("--parameters", type=JsonObject(), help="All of them; the provider is asked to agree to them.")
@click.option("--credential", "credentials", type=Pair(), multiple=True, help="Another API key.")
@json_option
def change(
    name: str,
    new_name: str | None,
    parameters: dict[str, Any] | None,
    credentials: Sequence[tuple[str, str]],
    as_json: bool,
) -> None:
    """Change a subscription; its endpoint stays."""
    client = connect()
    body = {
        "name": new_name,
        "parameters": parameters,
        "credentials": {key: secret_text(value) for key, value in credentials} or None,
    }
    found = _find(client, name)
    changed = client.patch(
        "subscriptions", found["id"], body={k: v for k, v in body.items() if v is not None}
    )
    if as_json:
        show_json(changed)
        return
    click.echo(f"changed {changed['name']}")
    for warning in changed["warnings"]:
        click.echo(f"  {one_line(warning)}")


@subscription.command("delete")
@click.argument("name", metavar="NAME|ID")
@click.option("--force", is_flag=True, help="Also where workflows use it, or the provider cannot be told.")
def delete(name: str, force: bool) -> None:
    """End a subscription, at the provider too."""
    client = connect()
    client.delete("subscriptions", _find(client, name)["id"], force="true" if force else None)
    click.echo(f"deleted {name}")


def _find(client: Client, name: str) -> Json:
    found: list[Json] = client.get("subscriptions")["data"]
    for one in found:
        if name in (one["id"], one["name"]):
            return one
    raise CommandFailed(
        f"no subscription is called {name!r}: `hopline subscription list` shows what there is"
    )


def _status(one: Json) -> str:
    if one["needs_authorization"]:
        return "NEEDS AUTHORIZATION"
    return "EXPIRED" if one["expired"] else str(one["status"])


def _value(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _names(schema: Json) -> list[str]:
    """What is optional has a question mark."""
    required = schema.get("required") or ()
    return [name if name in required else f"{name}?" for name in schema.get("properties") or {}]


def _credentials(plugin: Json) -> str:
    kinds = ["OAuth"] if "oauth" in plugin["credential_types"] else []
    return " | ".join([*kinds, *_names(plugin["credentials"] or {})])
