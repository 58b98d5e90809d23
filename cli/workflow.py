"""`hopline workflow`: files in and out, what there is, publication."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from cli.check import check
from cli.client import connect
from cli.environment import with_environment
from cli.errors import CommandFailed
from cli.files import FILE, JsonObject, read_text
from cli.flow import COMMANDS as FLOW
from cli.lookup import find_workflow
from cli.output import json_option, show_fields, show_json, show_table
from cli.pairs import Pair
from cli.pause import show_execution
from cli.plain import one_line
from cli.wait import wait_for_node


@click.group("workflow")
def workflow() -> None:
    """Workflow files and what has been imported. WORKFLOW is an id or the name of an app."""


@workflow.command("import")
@click.argument("file", type=FILE)
@click.option("--app", metavar="NAME", help="Name of the app. [default: as the file says]")
@click.option("--env", "env", type=Pair(), multiple=True, help="Set an environment variable of the workflow.")
@click.option("--publish", is_flag=True, help="Publish it at once.")
@json_option
def import_file(
    file: Path, app: str | None, env: tuple[tuple[str, str], ...], publish: bool, as_json: bool
) -> None:
    """Import a Dify DSL file or plain graph JSON. The same name again replaces the draft."""
    content = with_environment(read_text(file), dict(env))
    imported = connect().upload(
        "workflows", "import", content=content, app=app, publish="true" if publish else None
    )
    if as_json:
        show_json(imported)
        return
    done = "imported" if imported["created"] else "replaced the draft of"
    told = f"{done} {imported['name']}, workflow {imported['workflow_id']}, version {imported['version']}"
    click.echo(one_line(told))


@workflow.command("list")
@json_option
def list_all(as_json: bool) -> None:
    """List what has been imported."""
    workflows = connect().get("workflows")["data"]
    if as_json:
        show_json(workflows)
        return
    columns = ("id", "name", "mode", "published_version", "updated_at")
    show_table(columns, ([one[column] for column in columns] for one in workflows))


@workflow.command("show")
@click.argument("workflow")
@click.option("--version", metavar="VERSION", help="draft, or a published version. [default: latest]")
@json_option
def show_one(workflow: str, version: str | None, as_json: bool) -> None:
    """Show a version with its nodes, and which versions there are."""
    client = connect()
    workflow_id = find_workflow(client, workflow)["id"]
    one = client.get("workflows", workflow_id, version=version)
    versions = [v["version"] for v in client.get("workflows", workflow_id, "versions")["data"]]
    if as_json:
        show_json({**one, "versions": versions})
        return
    shown = ("id", "name", "mode", "description", "version", "marked_name", "created_by", "created_at")
    show_fields({**{name: one[name] or None for name in shown}, "versions": ", ".join(versions)})
    click.echo()
    nodes = [(node["id"], node.get("data", {})) for node in one["graph"].get("nodes", ())]
    show_table(("node", "type", "title"), ((id_, data.get("type"), data.get("title")) for id_, data in nodes))


@workflow.command("publish")
@click.argument("workflow")
@click.option("--name", default="", help="Label of the version.")
@click.option("--comment", default="", help="Description of the version.")
@json_option
def publish(workflow: str, name: str, comment: str, as_json: bool) -> None:
    """Make the draft the version that production runs take."""
    client = connect()
    found = find_workflow(client, workflow)
    body = {"marked_name": name, "marked_comment": comment}
    published = client.post("workflows", found["id"], "publish", body=body)
    if as_json:
        show_json(published)
        return
    click.echo(one_line(f"published {found['name']} as version {published['version']}"))


@workflow.command("export")
@click.argument("workflow")
@click.option("--version", metavar="VERSION", help="draft, or a published version. [default: latest]")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="[default: stdout]")
def export(workflow: str, version: str | None, output: Path | None) -> None:
    """Write a version as a Dify DSL file. Secret values are left out."""
    client = connect()
    text = client.text("workflows", find_workflow(client, workflow)["id"], "export", version=version)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text)
    except OSError as refused:
        raise CommandFailed(f"cannot write {output}: {refused.strerror}") from refused


@workflow.command("step")
@click.argument("workflow")
@click.argument("node")
@click.option("--input", "-i", "pairs", type=Pair(), multiple=True, help="NODE.VARIABLE=TEXT; repeatable.")
@click.option("--inputs", type=JsonObject(), default="{}", help="Inputs of any type; --input wins.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(min=0), default=60.0, show_default=True)
@json_option
def step(
    workflow: str,
    node: str,
    pairs: Sequence[tuple[str, str]],
    inputs: dict[str, Any],
    timeout_s: float,
    as_json: bool,
) -> None:
    """Run one node of the draft alone, on values that are given, and show what it did."""
    client = connect()
    workflow_id = find_workflow(client, workflow)["id"]
    body = {"inputs": {**inputs, **dict(pairs)}}
    started = client.post("workflows", workflow_id, "draft", "nodes", node, "run", body=body)
    done = wait_for_node(client, started["node_execution_id"], timeout_s)
    show_execution(done, as_json=as_json)
    if done["status"] not in ("succeeded", "paused"):
        raise CommandFailed(f"node {node} has ended {done['status']}")


for _command in (check, *FLOW):
    workflow.add_command(_command)
