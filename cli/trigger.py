"""`hopline trigger`: what starts which workflow."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson

from cli.client import connect
from cli.files import JsonObject
from cli.lookup import find_workflow, workflow_names
from cli.output import json_option, moment, show_fields, show_json, show_table
from cli.plain import one_line
from cli.signing import SCHEMES, Scheme, new_secret
from schemas.triggers.kinds import KINDS

# Each published workflow can be started by hand: nothing is configured for that.
_TYPES = [kind.lower() for kind in KINDS]
_BODY_CHARS = 60
"""Of a body in a list."""

Json = dict[str, Any]


@click.group("trigger")
def trigger() -> None:
    """What starts workflows. A workflow can be started by hand without one: hopline run start."""


@trigger.command("create")
@click.option("--type", "kind", type=click.Choice(_TYPES), default="webhook", show_default=True)
@click.option("--workflow", required=True, metavar="WORKFLOW", help="Id, or name of the app.")
@click.option("--name", default="", help="What it is called in lists.")
@click.option(
    "--config", type=JsonObject(), default="{}", help="Its config, or a sample.json. Options below win."
)
@click.option(
    "--method", "methods", multiple=True, metavar="METHOD", help="HTTP method that is taken; repeatable."
)
@click.option("--content-type", "content_types", multiple=True, help="Media type that is taken; repeatable.")
@click.option("--path", help="An address of its own, such as shop/orders, beside the one that is made up.")
@click.option("--scheme", type=click.Choice(SCHEMES), help="How requests are signed.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    help="Signing secret; repeatable. [default: a new one, printed once]",
)
@click.option("--dedup-window", type=click.FloatRange(min=0), metavar="SECONDS", help="0 switches it off.")
@click.option("--cron", help="When a schedule fires: five fields, or a macro such as @daily.")
@click.option("--every", "interval_s", type=click.FloatRange(min=1), metavar="SECONDS", help="Or how often.")
@click.option("--at", "times", multiple=True, metavar="TIME", help="Or at this time (RFC 3339); repeatable.")
@click.option("--timezone", metavar="ZONE", help="Of --cron, such as Europe/Berlin.  [default: UTC]")
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
    path: str | None,
    scheme: Scheme | None,
    secrets: Sequence[str],
    dedup_window: float | None,
    cron: str | None,
    interval_s: float | None,
    times: Sequence[str],
    timezone: str | None,
    paused: bool,
    as_json: bool,
) -> None:
    """Create a trigger and print where producers send to, or when it fires next."""
    wanted = _unwrapped(config)
    wanted |= {"allowed_methods": [m.upper() for m in methods]} if methods else {}
    wanted |= {"content_types": list(content_types)} if content_types else {}
    wanted |= {"webhook_path": path} if path else {}
    wanted |= {"dedup_window_s": dedup_window} if dedup_window is not None else {}
    timing = {"cron": cron, "interval_s": interval_s, "at": list(times), "timezone": timezone}
    wanted |= {name: value for name, value in timing.items() if value}
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
    show_fields({"id": created["id"], "url": created["url"], "secret": fresh, "next": _next(created)})


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
    rows = [
        {
            **one,
            "workflow": names.get(one["workflow_id"], one["workflow_id"]),
            "enters": one["url"] or _next(one),
        }
        for one in triggers
    ]
    columns = ("id", "type", "status", "workflow", "name", "enters")
    show_table(columns, ([row[column] for column in columns] for row in rows))


@trigger.command("show")
@click.argument("trigger_id", metavar="ID")
@json_option
def show_one(trigger_id: str, as_json: bool) -> None:
    """Show a trigger, and when a schedule fires next."""
    found = connect().get("triggers", trigger_id)
    if as_json:
        show_json(found)
        return
    last = found["last_triggered_at"]
    fields = {name: found[name] for name in ("id", "type", "status", "name", "url")}
    shown = {"source": _source(found), "last": moment(last) if last else None, "next": _next(found)}
    show_fields({**fields, **shown})


@trigger.command("backfill")
@click.argument("trigger_id", metavar="ID")
@click.option("--start", required=True, metavar="TIME", help="The first time that may be one; RFC 3339.")
@click.option("--end", required=True, metavar="TIME", help="The last.")
@click.option("--id", "backfill_id", default="", help="Yours: under it, each time fires once in seven days.")
@json_option
def backfill(trigger_id: str, start: str, end: str, backfill_id: str, as_json: bool) -> None:
    """Fire the times of a schedule in a range of the past."""
    body = {"start": start, "end": end, "backfill_id": backfill_id}
    started = connect().post("triggers", trigger_id, "backfill", body=body)
    if as_json:
        show_json(started)
    else:
        click.echo(f"backfill {started['backfill_id']} has begun")


@trigger.command("requests")
@click.argument("trigger_id", metavar="ID")
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@json_option
def requests(trigger_id: str, limit: int, as_json: bool) -> None:
    """Show the last events that came to a trigger, also those that started nothing, and why."""
    found = connect().get("triggers", trigger_id, "requests", limit=limit)["data"]
    if as_json:
        show_json(found)
        return
    rows = (
        (
            moment(one["received_at"]),
            one["method"],
            one["path"],
            one["status"],
            one["error"],
            _clip(one["body"]),
        )
        for one in found
    )
    show_table(("received", "method", "path", "status", "error", "body"), rows)


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


def _clip(body: Any) -> str | None:
    if body is None:
        return None
    text = one_line(body if isinstance(body, str) else orjson.dumps(body).decode())
    return text if len(text) <= _BODY_CHARS else f"{text[: _BODY_CHARS - 1]}…"


def _source(one: Mapping[str, Any]) -> str | None:
    """How what it watches by itself is doing."""
    state = one.get("source")
    if not state:
        return None
    why = f": {state['error']}" if state["error"] else ""
    return f"{state['status']} since {moment(state['since'])}{why}"


def _next(one: Mapping[str, Any]) -> str | None:
    times = one.get("next_times")
    return ", ".join(map(moment, times)) if times else None


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
