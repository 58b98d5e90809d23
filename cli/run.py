"""`hopline run`: starting workflows and looking at what they did."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from cli.bulk import CANCEL, REPLAY, RESUME, Bulk, selectable, selected, tell_all
from cli.client import Client, connect
from cli.errors import CommandFailed
from cli.export import export_runs
from cli.files import JsonObject
from cli.listing import filters, show_list
from cli.lookup import find_workflow
from cli.output import json_option, show, show_json
from cli.pairs import Pair, typed_inputs
from cli.pause import RUNS, find_pauses, show_execution, show_pause
from cli.plain import one_line
from cli.run_logs import run_logs
from cli.tree import run_tree
from cli.wait import wait_for_answer, wait_for_nodes, wait_for_run
from cli.watch import watch
from schemas.search import RunFilter

_wait_option = click.option(
    "--wait", is_flag=True, help="Wait for the end and draw the run; exit code 1 unless it succeeded."
)
_timeout_option = click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long --wait waits.",
)


@click.group("run")
def run() -> None:
    """Runs of workflows. WORKFLOW is an id or the name of an app."""


@run.command("start")
@click.argument("workflow")
@click.option(
    "--input",
    "-i",
    "pairs",
    type=Pair(),
    multiple=True,
    help="One input; repeatable. For a file, @PATH uploads it.",
)
@click.option("--inputs", type=JsonObject(), default="{}", help="All inputs; --input wins.")
@click.option("--draft", is_flag=True, help="Run the draft instead of the latest published version.")
@click.option("--version", default="", help="Run this version.")
@click.option("--query", default="", help="Of a chat: what its user says.")
@click.option(
    "--conversation", "conversation_id", default="", metavar="ID", help="Of a chat: which to go on with."
)
@click.option("--confirmed", is_flag=True, help="Where the workflow wants to be confirmed.")
@_wait_option
@_timeout_option
@json_option
def start(
    *,
    workflow: str,
    pairs: Sequence[tuple[str, str]],
    inputs: dict[str, Any],
    draft: bool,
    version: str,
    query: str,
    conversation_id: str,
    confirmed: bool,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Start a workflow by hand. A run of a chat is a turn of a conversation, which is told on stderr."""
    client, version = connect(), "draft" if draft else version
    workflow_id = find_workflow(client, workflow)["id"]
    variables = _variables(client, workflow_id, version) if pairs else ()
    given = {**inputs, **typed_inputs(pairs, variables, lambda path: client.upload_file(path)["file"])}
    said = {"query": query, "conversation_id": conversation_id}
    consent = {"confirmed": True} if confirmed else {}
    body = {
        "inputs": given,
        "version": version,
        **consent,
        **{name: text for name, text in said.items() if text},
    }
    started = client.post("triggers", "workflows", workflow_id, "manual", body=body)
    _started(client, started, wait, timeout_s, as_json)


@run.command("list")
@filters(RunFilter)
def list_all(**chosen: Any) -> None:
    """Search runs, the newest first."""
    columns = {
        "id": "id", "workflow": "workflow_id", "status": "status", "created_at": "created_at",
        "elapsed": "elapsed_time", "steps": "total_steps", "error": "error",
    }  # fmt: skip
    show_list("runs", RunFilter, columns, **chosen)


run.add_command(export_runs)
run.add_command(run_logs)
run.add_command(watch)


@run.command("show")
@click.argument("run_id", metavar="ID")
@json_option
def show_one(run_id: str, as_json: bool) -> None:
    """Draw a run as the tree of its node executions."""
    client = connect()
    _show(client.get("runs", run_id), client.get("runs", run_id, "nodes")["data"], as_json)


@run.command("cancel")
@selectable
@json_option
def cancel(run_id: str | None, as_json: bool, **chosen: Any) -> None:
    """Ask a run to stop, or with --all each that fits. Nothing begins in it any more, and what executors are
    at work on is broken off."""
    client = connect()
    which = selected(client, run_id, chosen)
    if isinstance(which, Bulk):
        tell_all(client, which, CANCEL, as_json=as_json)
        return
    answer = client.post("runs", which, "cancel")
    if as_json:
        show_json(answer)
    else:
        click.echo(f"asked {which} to stop")


@run.command("replay")
@selectable
@click.option(
    "--input",
    "-i",
    "pairs",
    type=Pair(),
    multiple=True,
    help="One input that is to be different; repeatable. For a file, @PATH uploads it.",
)
@click.option("--inputs", type=JsonObject(), default="{}", help="Inputs that are to be; --input wins.")
@_wait_option
@_timeout_option
@json_option
def replay(
    *,
    run_id: str | None,
    pairs: Sequence[tuple[str, str]],
    inputs: dict[str, Any],
    wait: bool,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Start a new run with the inputs of this one, as far as none are given, or with --all of each that fits.

    It is of the version that is published now.
    """
    client = connect()
    which = selected(client, run_id, chosen)
    if isinstance(which, Bulk):
        _check_alone("--wait", wait)
        _check_alone("--input (but not --inputs)", pairs)
        tell_all(client, which, REPLAY, {"inputs": inputs} if inputs else {}, as_json=as_json)
        return
    given = {**inputs, **_edited(client, which, pairs)}
    started = client.post("runs", which, "replay", body={"inputs": given} if given else None)
    _started(client, started, wait, timeout_s, as_json)


@run.command("resume")
@selectable
@click.option("--action", metavar="ACTION", help="What to choose; not needed where there is one action.")
@click.option("--input", "-i", "pairs", type=Pair(), multiple=True, help="One field of the form; repeatable.")
@click.option("--inputs", type=JsonObject(), default="{}", help="All fields; --input wins.")
@click.option("--node", "node_id", metavar="NODE", help="Which node answers, where several wait.")
@click.option("--pause", "pause_id", metavar="ID", help="Which pause, where a node waits several times.")
@click.option(
    "--version", default="", help="Of a failed run: which version goes on, or `latest`; else its own."
)
@_wait_option
@_timeout_option
@json_option
def resume(
    *,
    run_id: str | None,
    action: str | None,
    pairs: Sequence[tuple[str, str]],
    inputs: dict[str, Any],
    node_id: str | None,
    pause_id: str | None,
    version: str,
    wait: bool,
    timeout_s: float,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Answer what a paused run waits for, or a node that was run alone: ID is that of its execution. A run
    that waits for a moment goes on at once.

    A run that has failed needs no answer: a new run goes on where it has failed, and does not execute again
    what succeeded. With --all, each failed run that fits.
    """
    client = connect()
    which = selected(client, run_id, chosen)
    if isinstance(which, Bulk):
        _check_alone("--wait", wait)
        _check_alone("an answer", action or pairs or inputs or node_id or pause_id)
        tell_all(client, which, RESUME, {"version": version} if version else {}, as_json=as_json)
        return
    place, pauses = find_pauses(client, which)
    fields = _asked(pauses, node_id, pause_id)
    # Where nothing is asked, the API has the reason.
    given = (
        typed_inputs(pairs, fields, lambda path: client.upload_file(path)["file"]) if fields else dict(pairs)
    )
    answer: dict[str, Any] = {"inputs": {**inputs, **given}}
    named = {"action": action, "node_id": node_id, "pause_id": pause_id, "version": version or None}
    answer |= {name: value for name, value in named.items() if value is not None}
    accepted = client.post(place, which, "resume", body=answer)
    if place == RUNS:
        _started(client, accepted, wait, timeout_s, as_json)
    elif wait:
        show_execution(wait_for_answer(client, which, timeout_s), as_json=as_json)
    elif as_json:
        show_json(accepted)
    else:
        click.echo(which)


def _check_alone(what: str, given: object) -> None:
    if given:
        raise click.UsageError(f"{what} is for one run, not for --all")


def _asked(
    pauses: Sequence[Mapping[str, Any]], node_id: str | None, pause_id: str | None
) -> list[dict[str, Any]]:
    """The fields of the forms that may be meant, as those of a start node."""
    return [
        {**field, "variable": name}
        for pause in pauses
        if node_id in (None, pause["pause_metadata"]["node_id"]) and pause_id in (None, pause["id"])
        for name, field in pause["pause_metadata"].get("inputs_schema", {}).items()
    ]


def _edited(client: Client, run_id: str, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """With the types that the workflow of the run gives them."""
    if not pairs:
        return {}
    run = client.get("runs", run_id)
    version = "draft" if run["version"] == "draft" else ""
    variables = _variables(client, run["workflow_id"], version)
    return typed_inputs(pairs, variables, lambda path: client.upload_file(path)["file"])


def _variables(client: Client, workflow_id: str, version: str) -> list[dict[str, Any]]:
    nodes = client.get("workflows", workflow_id, version=version or None)["graph"].get("nodes", ())
    starts = (node["data"] for node in nodes if node.get("data", {}).get("type") == "start")
    return next((data.get("variables") or [] for data in starts), [])


def _started(client: Client, started: dict[str, Any], wait: bool, timeout_s: float, as_json: bool) -> None:
    run_id, conversation_id = started["workflow_run_id"], started.get("conversation_id")
    if started.get("resumed_from") and started["duplicate"] and not as_json:
        click.echo(f"{started['resumed_from']} was resumed by this run before", err=True)
    if conversation_id and not as_json:
        click.echo(f"conversation {conversation_id}", err=True)
    if wait:
        ended = wait_for_run(client, run_id, timeout_s)
        _show(ended, wait_for_nodes(client, ended), as_json)
        if ended["status"] not in ("SUCCEEDED", "PARTIAL_SUCCEEDED"):
            raise CommandFailed(
                one_line(f"run {run_id} has ended {ended['status']}: {ended.get('error') or ''}")
            )
    elif as_json:
        show_json(started)
    else:
        click.echo(run_id)


def _show(one: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        show_json({**one, "nodes": nodes})
    else:
        show(run_tree(one, nodes))
        for pause in one.get("pauses") or ():
            show_pause(pause)
