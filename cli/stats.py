"""`hopline stats`: what is configured, and what has happened, in counts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from cli.client import connect
from cli.filters import Moment, rfc3339
from cli.output import duration, json_option, moment, show_fields, show_json, show_table

_STATUSES = {
    "runs": ("running", "paused", "succeeded", "partial_succeeded", "failed", "stopped"),
    "triggers": ("pending", "running", "success", "failed", "stopped", "duplicates"),
}


@click.command("stats")
@click.option(
    "--since", type=Moment(), help="Of events accepted then or later, else the last day; a time, or 2h."
)
@click.option("--until", type=Moment(), help="Of events accepted before that, else until now; likewise.")
@json_option
def stats(since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Count workflows and triggers, and what became of the events of the last day."""
    asked = {name: rfc3339(at) for name, at in (("since", since), ("until", until)) if at is not None}
    found = connect().get("stats", **asked)
    if as_json:
        show_json(found)
        return
    show_fields(_configured(found))
    history = found["history"]
    if history is None:
        click.echo(f"no history: {found['history_unavailable']}", err=True)
        return
    click.echo()
    show_fields(_happened(history))
    click.echo()
    columns = ("trigger_type", "total", *_STATUSES["triggers"], "retries")
    show_table(columns, _by_type(history["triggers"], columns[1:]))


def _configured(found: Mapping[str, Any]) -> dict[str, Any]:
    deployments = found["deployments"]
    types = ", ".join(f"{count} {name}" for name, count in found["trigger_types"].items())
    return {
        "workflows": f"{found['total_workflows']}, {found['published_workflows']} published",
        "triggers": f"{found['total_triggers']}{f': {types}' if types else ''}",
        "deployed": f"{deployments['deployed']} workflows; {deployments['succeeded']} deployments succeeded, "
        f"{deployments['failed']} failed",
    }


def _happened(history: Mapping[str, Any]) -> dict[str, Any]:
    runs, nodes, letters = history["runs"], history["nodes"], history["dead_letters"]
    statuses = ", ".join(f"{runs[status]} {status.replace('_', ' ')}" for status in _STATUSES["runs"])
    rate = runs["failure_rate"]
    prices = ", ".join(f"{price:g} {currency}" for currency, price in nodes["price"].items())
    return {
        "since": moment(history["since"]),
        "until": moment(history["until"]),
        "runs": f"{runs['total']}: {statuses}",
        "failure rate": None if rate is None else f"{rate:.1%}",
        "run time": _percentiles(runs["elapsed_s"]),
        "wait to start": _percentiles(runs["queue_latency_s"]),
        "node executions": f"{nodes['total']}, {nodes['failed']} failed, {nodes['retried']} tried again",
        "tokens": nodes["tokens"],
        "price": prices or None,
        "dead letters": f"{letters['total']}, {letters['pending']} to be looked at",
    }


def _percentiles(found: Mapping[str, float] | None) -> str | None:
    if found is None:
        return None
    return ", ".join(f"{name} {duration(seconds)}" for name, seconds in found.items())


def _by_type(triggers: Mapping[str, Mapping[str, Any]], columns: Iterable[str]) -> Iterable[list[Any]]:
    names = tuple(columns)
    return ([name, *(counts[column] for column in names)] for name, counts in triggers.items())
