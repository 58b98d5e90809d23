"""`hopline github-connection` and `hopline slack-connection`: the apps whose events come to Hopline."""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import click

from cli.client import connect
from cli.files import secret_text
from cli.output import json_option, show_fields, show_json, show_table

Json = dict[str, Any]

_SECRET_BYTES = 32
_URL_HELP = "Encrypted at rest. @FILE reads it from a file."


@click.group("github-connection")
def github_connection() -> None:
    """GitHub Apps, and webhooks of repositories and organisations."""


@github_connection.command("create")
@click.argument("name")
@click.option("--app-id", default="", help="Of a GitHub App; without one it is a webhook.")
@click.option("--secret", help=f"Of the webhook. {_URL_HELP}  [default: a new one, printed once]")
@click.option("--private-key", help=f"Of the app, to find its installations. {_URL_HELP}")
@click.option("--api-url", help="Of GitHub Enterprise Server: https://HOST/api/v3.")
@json_option
def create_github(
    *, name: str, app_id: str, secret: str | None, private_key: str | None, api_url: str | None, as_json: bool
) -> None:
    """Create the connection NAME, and print where GitHub is to deliver to."""
    fresh = None if secret else secrets.token_hex(_SECRET_BYTES)
    credentials = {"webhook_secret": fresh or secret_text(secret or "")}
    credentials |= {"private_key": secret_text(private_key)} if private_key else {}
    wanted = {"name": name, "app_id": app_id, "credentials": credentials}
    wanted |= {"api_url": api_url} if api_url else {}
    _created("github-connections", wanted, fresh, as_json)


@click.group("slack-connection")
def slack_connection() -> None:
    """Slack apps."""


@slack_connection.command("create")
@click.argument("name")
@click.option("--app-id", default="", help="Of the app: A0123ABCD.")
@click.option("--team", "team_id", default="", help="The only workspace whose events are looked at.")
@click.option("--signing-secret", required=True, help=f"Of the app. {_URL_HELP}")
@click.option("--bot-token", help=f"To find channels by their names. {_URL_HELP}")
@click.option("--api-url", help="Instead of https://slack.com/api.")
@json_option
def create_slack(
    *,
    name: str,
    app_id: str,
    team_id: str,
    signing_secret: str,
    bot_token: str | None,
    api_url: str | None,
    as_json: bool,
) -> None:
    """Create the connection NAME, and print the request URL that Slack asks for."""
    credentials = {"signing_secret": secret_text(signing_secret)}
    credentials |= {"bot_token": secret_text(bot_token)} if bot_token else {}
    wanted = {"name": name, "app_id": app_id, "team_id": team_id, "credentials": credentials}
    wanted |= {"api_url": api_url} if api_url else {}
    _created("slack-connections", wanted, None, as_json)


def _created(path: str, wanted: Json, fresh: str | None, as_json: bool) -> None:
    created = connect().post(path, body=wanted)
    if as_json:
        show_json({**created, "secret": fresh} if fresh else created)
    else:
        show_fields({"name": created["name"], "path": created["path"], "secret": fresh})


def _list(path: str, columns: tuple[str, ...]) -> Callable[[bool], None]:
    def list_all(as_json: bool) -> None:
        found = connect().get(path)["data"]
        if as_json:
            show_json(found)
        else:
            show_table(columns, ([row[column] for column in columns] for row in found))

    return list_all


def _show(path: str) -> Callable[[str, bool], None]:
    def show_one(name: str, as_json: bool) -> None:
        found = connect().get(path, name)
        if as_json:
            show_json(found)
        else:
            show_fields({field: value for field, value in found.items() if value not in ("", {})})

    return show_one


def _delete(path: str) -> Callable[[str], None]:
    def delete(name: str) -> None:
        connect().delete(path, name)
        click.echo(f"deleted {name}")

    return delete


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "github-connections": ("name", "app_id", "api_url", "path"),
    "slack-connections": ("name", "app_id", "team_id", "path"),
}

for _group, _path in ((github_connection, "github-connections"), (slack_connection, "slack-connections")):
    _group.command("list", help="List connections.")(json_option(_list(_path, _COLUMNS[_path])))
    _group.command("show", help="Show a connection; its secrets are masked.")(
        click.argument("name")(json_option(_show(_path)))
    )
    _group.command("delete", help="Delete a connection: what comes by it is refused from now on.")(
        click.argument("name")(_delete(_path))
    )
