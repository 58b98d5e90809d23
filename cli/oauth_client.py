"""`hopline oauth-client`: what Hopline is known by to the OAuth servers of providers."""

from collections.abc import Sequence
from typing import Any

import click

from cli.client import connect
from cli.files import secret_text
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair

_AUTHS = ("client_secret_basic", "client_secret_post", "none")

_system = click.option("--system", is_flag=True, help="The deployment's, for all tenants.")


@click.group("oauth-client")
def oauth_client() -> None:
    """OAuth clients, as they were registered with providers."""


@oauth_client.command("set")
@click.argument("provider")
@click.option("--client-id", required=True)
@click.option("--client-secret", default="", help="@FILE reads it from a file; none for a public client.")
@click.option("--authorize-url", help="Where it is another one than the plugin knows; likewise the rest.")
@click.option("--token-url")
@click.option("--scope", "scopes", multiple=True, help="Repeatable.")
@click.option("--client-auth", type=click.Choice(_AUTHS), help="How the secret is shown to the server.")
@click.option("--authorize-parameter", "more", type=Pair(), multiple=True, help="NAME=VALUE; repeatable.")
@click.option("--disabled", is_flag=True, help="New authorizations go through the deployment's.")
@_system
@json_option
def set_client(
    *,
    provider: str,
    client_id: str,
    client_secret: str,
    authorize_url: str | None,
    token_url: str | None,
    scopes: Sequence[str],
    client_auth: str | None,
    more: Sequence[tuple[str, str]],
    disabled: bool,
    system: bool,
    as_json: bool,
) -> None:
    """Create or replace the client for PROVIDER, and print the redirect URI to register."""
    if system and disabled:
        raise click.UsageError("--disabled is for the client of a tenant")
    body: dict[str, Any] = {
        "client_id": client_id,
        "client_secret": secret_text(client_secret),
        "authorize_url": authorize_url,
        "token_url": token_url,
        "scopes": list(scopes) or None,
        "client_auth": client_auth,
        "authorize_parameters": dict(more) or None,
        "enabled": None if system else not disabled,
    }
    given = {name: value for name, value in body.items() if value is not None}
    shown = connect().put("oauth", _level(system), provider, body=given)
    if as_json:
        show_json(shown)
    else:
        show_fields({name: shown[name] for name in ("provider", "client_id", "redirect_uri")})


@oauth_client.command("list")
@_system
@json_option
def list_all(system: bool, as_json: bool) -> None:
    """List clients."""
    found = connect().get("oauth", _level(system))["data"]
    if as_json:
        show_json(found)
        return
    columns = ("provider", "client_id", "enabled", "authorize_url", "redirect_uri")
    show_table(columns, ([one[column] for column in columns] for one in found))


@oauth_client.command("show")
@click.argument("provider")
@_system
@json_option
def show_one(provider: str, system: bool, as_json: bool) -> None:
    """Show a client, its secret masked."""
    shown = connect().get("oauth", _level(system), provider)
    if as_json:
        show_json(shown)
    else:
        show_fields({name: value for name, value in shown.items() if value not in ("", {}, [])})


@oauth_client.command("delete")
@click.argument("provider")
@_system
def delete(provider: str, system: bool) -> None:
    """Delete a client: tokens that it was given can be refreshed no more."""
    connect().delete("oauth", _level(system), provider)
    click.echo(f"deleted {provider}")


def _level(system: bool) -> str:
    return "system-clients" if system else "tenant-clients"
