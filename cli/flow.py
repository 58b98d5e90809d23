"""`hopline workflow deploy`, `pause` and the like: how events get to a workflow."""

from collections.abc import Mapping
from typing import Any

import click

from cli.client import connect
from cli.files import JsonObject
from cli.lookup import find_workflow
from cli.output import json_option, moment, show_fields, show_json, show_table

Json = dict[str, Any]
_LIMITS = ("rate_limit", "debounce", "batch", "throttle")


@click.command("deploy")
@click.argument("workflow")
@click.option("--version", metavar="VERSION", help="Whose trigger nodes are taken. [default: latest]")
@json_option
def deploy(workflow: str, version: str | None, as_json: bool) -> None:
    """Make triggers of its trigger nodes, and let all its triggers look at events."""
    client = connect()
    found = find_workflow(client, workflow)
    body = {"version": version} if version else {}
    deployed = client.post("deployment", "workflows", found["id"], "deploy", body=body)
    _show_deployment(deployed, as_json)


@click.command("undeploy")
@click.argument("workflow")
@json_option
def undeploy(workflow: str, as_json: bool) -> None:
    """Let its triggers look at events no more; they stay configured."""
    client = connect()
    found = find_workflow(client, workflow)
    _show_deployment(client.post("deployment", "workflows", found["id"], "undeploy"), as_json)


@click.command("status")
@click.argument("workflow")
@json_option
def status(workflow: str, as_json: bool) -> None:
    """Show whether it is deployed, and what was tried before."""
    client = connect()
    found = client.get("deployment", "workflows", find_workflow(client, workflow)["id"], "status")
    _show_deployment(found, as_json)
    if not as_json:
        columns = ("action", "deployment_status", "version", "started_at", "created_by")
        rows = ({**one, "started_at": moment(one["started_at"])} for one in found["history"])
        show_table(columns, ([row[column] for column in columns] for row in rows))


@click.command("pause")
@click.argument("workflow")
@click.option("--events", type=click.Choice(["hold", "ignore"]), default="hold", show_default=True)
@json_option
def pause(workflow: str, events: str, as_json: bool) -> None:
    """Pause all its triggers at once: events are held until it is resumed, or ignored."""
    client = connect()
    found = client.post("workflows", find_workflow(client, workflow)["id"], "pause", body={"events": events})
    _show_control(found, as_json)


@click.command("resume")
@click.argument("workflow")
@json_option
def resume(workflow: str, as_json: bool) -> None:
    """Let events start runs again, those that were held first."""
    client = connect()
    _show_control(client.post("workflows", find_workflow(client, workflow)["id"], "resume"), as_json)


@click.command("flow-control")
@click.argument("workflow")
@click.option("--set", "limits", type=JsonObject(), help="All limits; {} lifts them.  [default: show them]")
@json_option
def flow_control(workflow: str, limits: Json | None, as_json: bool) -> None:
    """Limit, debounce, gather or throttle its events."""
    client = connect()
    path = ("workflows", find_workflow(client, workflow)["id"], "flow-control")
    _show_control(client.get(*path) if limits is None else client.put(*path, body=limits), as_json)


COMMANDS = (deploy, undeploy, status, pause, resume, flow_control)


def _show_deployment(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    show_fields({"deployment": found["deployment_status"], "version": found["version"]})
    columns = ("id", "type", "node_id", "index_key", "status", "deployment_status")
    show_table(columns, ([one[column] for column in columns] for one in found["triggers"]))


def _show_control(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    paused = {"": "no", "hold": "yes, events are held", "ignore": "yes, events are ignored"}
    limits = {name: _limit(found[name]) for name in _LIMITS if found[name]}
    show_fields({"paused": paused[found["paused"]], **limits})


def _limit(limit: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in limit.items() if value not in ("", None))
