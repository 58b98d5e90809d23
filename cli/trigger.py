"""`hopline trigger`: what starts which workflow."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli.client import connect
from cli.files import JsonObject
from cli.lookup import find_workflow, workflow_names
from cli.output import json_option, show_fields, show_json, show_table
from cli.signing import SCHEMES, Scheme, new_secret
from schemas.models import AppTriggerType

# Each published workflow can be started by hand: nothing is configured for that.
_TYPES = [one.lower() for one in AppTriggerType if one is not AppTriggerType.MANUAL]

Json = dict[str, Any]


@click.group("trigger")
def trigger() -> None:
    """What starts workflows. A workflow can be started by hand without one: hopline run start."""


@trigger.command("create")
@click.option("--type", "kind", type=click.Choice(_TYPES), default=_TYPES[0], show_default=True)
@click.option("--workflow", required=True, metavar="WORKFLOW", help="Id, or name of the app.")
@click.option("--name", default="", help="What it is called in lists.")
@click.option(
    "--config", type=JsonObject(), default="{}", help="Its config, or a sample.json. Options below win."
)
@click.option(
    "--method", "methods", multiple=True, metavar="METHOD", help="HTTP method that is taken; repeatable."
)
@click.option("--content-type", "content_types", multiple=True, help="Media type that is taken; repeatable.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="How requests are signed.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    help="Signing secret; repeatable. [default: a new one, printed once]",
)
@click.option("--dedup-window", type=click.FloatRange(min=0), metavar="SECONDS", help="0 switches it off.")
@click.option("--paused", is_flag=True, help="Ignore events until it is resumed.")
@json_option
def create(
    *,
    kind: str,
    workflow: str,
    name: str,
    config: Json,
    methods: Sequence[str],
    content_types: Sequence[str],
    scheme: Scheme | None,
    secrets: Sequence[str],
    dedup_window: float | None,
    paused: bool,
    as_json: bool,
) -> None:
    """Create a trigger and print where producers send to."""
    wanted = _unwrapped(config)
    wanted |= {"allowed_methods": [m.upper() for m in methods]} if methods else {}
    wanted |= {"content_types": list(content_types)} if content_types else {}
    wanted |= {"dedup_window_s": dedup_window} if dedup_window is not None else {}
    fresh = _sign(wanted, scheme, secrets)
    client = connect()
    body = {
        "workflow_id": find_workflow(client, workflow)["id"],
        "type": kind.upper(),
        "name": name,
        "config": wanted,
        "status": "PAUSED" if paused else "ACTIVE",
    }
    created = client.post("triggers", body=body)
    if as_json:
        show_json({**created, "secret": fresh} if fresh else created)
        return
    show_fields({"id": created["id"], "url": created["url"], "secret": fresh})


@trigger.command("list")
@click.option("--workflow", metavar="WORKFLOW", help="Only those of this workflow.")
@json_option
def list_all(workflow: str | None, as_json: bool) -> None:
    """List triggers with their URLs."""
    client = connect()
    workflow_id = find_workflow(client, workflow)["id"] if workflow else None
    triggers = client.get("triggers", workflow_id=workflow_id)["data"]
    if as_json:
        show_json(triggers)
        return
    names = workflow_names(client)
    rows = [{**one, "workflow": names.get(one["workflow_id"], one["workflow_id"])} for one in triggers]
    columns = ("id", "type", "status", "workflow", "name", "url")
    show_table(columns, ([row[column] for column in columns] for row in rows))


@trigger.command("pause")
@click.argument("trigger_id", metavar="ID")
@json_option
def pause(trigger_id: str, as_json: bool) -> None:
    """Ignore events from now on; the trigger log says so for each."""
    _report(connect().post("triggers", trigger_id, "pause"), as_json)


@trigger.command("resume")
@click.argument("trigger_id", metavar="ID")
@json_option
def resume(trigger_id: str, as_json: bool) -> None:
    """Let events start runs again."""
    _report(connect().post("triggers", trigger_id, "resume"), as_json)


@trigger.command("delete")
@click.argument("trigger_id", metavar="ID")
def delete(trigger_id: str) -> None:
    """Delete a trigger: its URL answers 404 from now on."""
    connect().delete("triggers", trigger_id)
    click.echo(f"deleted {trigger_id}")


def _report(changed: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(changed)
    else:
        click.echo(f"{changed['id']} is {changed['status']}")


def _unwrapped(config: Json) -> Json:
    """The config itself where the whole sample.json was given."""
    if "trigger" in config and "event" in config:
        return dict(config["trigger"].get("config", {}))
    return dict(config)


def _sign(config: Json, scheme: Scheme | None, secrets: Sequence[str]) -> str | None:
    """Puts the signature into the config; returns the secret if it was made up here."""
    signature: Json = dict(config.get("signature") or {})
    if scheme:
        signature["scheme"] = scheme
    if secrets:
        signature["secrets"] = list(secrets)
    if not signature:
        return None
    if signature.get("scheme") not in SCHEMES:
        raise click.UsageError(f"--secret needs a --scheme: {' or '.join(SCHEMES)}")
    fresh = None if signature.get("secrets") else new_secret(signature["scheme"])
    config["signature"] = {**signature, "secrets": [fresh]} if fresh else signature
    return fresh
