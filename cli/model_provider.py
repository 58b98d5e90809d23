"""`hopline model-provider`: the endpoints of the models that nodes ask."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from cli.client import connect
from cli.files import JsonObject, secret_text
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair
from cli.providers import replace_option, save

_PATH = "model-providers"

Json = dict[str, Any]


class _Price(click.ParamType):
    """MODEL=INPUT/OUTPUT, prices of a million tokens, in USD unless a currency follows."""

    name = "model=input/output"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Json]:
        """Wrong usage for what has another form."""
        if isinstance(value, tuple):
            return value
        model, _, prices = value.rpartition("=")
        amounts, _, currency = prices.partition(":")
        try:
            given, made = (str(Decimal(amount)) for amount in amounts.split("/"))
        except (InvalidOperation, ValueError):
            model = ""
        if not model:
            self.fail(f"{value!r} is not like gpt-4o-mini=0.15/0.60 or qwen-max=2.4/9.6:CNY", param, ctx)
        return model, {"input": given, "output": made, **({"currency": currency} if currency else {})}


@click.group("model-provider")
def model_provider() -> None:
    """Where the models of llm, agent and other nodes are: OpenAI-compatible endpoints."""


@model_provider.command("create")
@click.argument("name")
@click.option("--base-url", metavar="URL", help="Such as https://api.openai.com/v1.")
@click.option("--api-key", type=str, help="Encrypted at rest. @FILE reads it from a file.")
@click.option("--price", "prices", type=_Price(), multiple=True, help="Of a model's tokens; repeatable.")
@click.option("--header", "headers", type=Pair(), multiple=True, help="Sent with each request; repeatable.")
@click.option("--default", "is_default", is_flag=True, help="Stand in for providers that are missing.")
@click.option(
    "--config", type=JsonObject(), default="{}", help="All of its fields. Options win over what it says."
)
@replace_option
@json_option
def create(
    *,
    name: str,
    base_url: str | None,
    api_key: str | None,
    prices: Sequence[tuple[str, Json]],
    headers: Sequence[tuple[str, str]],
    is_default: bool,
    config: Json,
    replace: bool,
    as_json: bool,
) -> None:
    """Create the provider that nodes call NAME: `openai`, or in full `langgenius/openai/openai`."""
    wanted: Json = {**config, "name": name}
    wanted |= {"base_url": base_url} if base_url else {}
    wanted |= {"credentials": {"api_key": secret_text(api_key)}} if api_key else {}
    wanted |= {"headers": {**wanted.get("headers", {}), **dict(headers)}} if headers else {}
    wanted |= {"default": True} if is_default else {}
    for model, pricing in prices:
        models = wanted.get("models") or {}
        wanted["models"] = {**models, model: {**models.get(model, {}), "pricing": pricing}}
    if "base_url" not in wanted:
        raise click.UsageError("give --base-url URL")
    save(connect(), _PATH, wanted, replace=replace, as_json=as_json)


@model_provider.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List model providers."""
    found = connect().get(_PATH)["data"]
    if as_json:
        show_json(found)
        return
    columns = ("name", "base_url", "models", "default")
    show_table(columns, ([_cell(one, column) for column in columns] for one in found))


@model_provider.command("show")
@click.argument("name")
@json_option
def show_one(name: str, as_json: bool) -> None:
    """Show a provider; its key is masked."""
    found = connect().get(_PATH, name)
    if as_json:
        show_json(found)
    else:
        show_fields(found)


@model_provider.command("delete")
@click.argument("name")
def delete(name: str) -> None:
    """Delete a provider: nodes that name it fail from now on, and say so."""
    connect().delete(_PATH, name)
    click.echo(f"deleted {name}")


def _cell(provider: Mapping[str, Any], column: str) -> Any:
    if column == "models":
        return ", ".join(provider["models"])
    if column == "default":
        return "yes" if provider["default"] else ""
    return provider[column]
