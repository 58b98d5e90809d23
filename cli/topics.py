"""`hopline topics`: the topics themselves, asked of Kafka and not of the API."""

import asyncio

import click

from cli.output import json_option, show_json, show_table
from cli.settings import resolve
from transport.admin import create_topics, describe_topics
from transport.settings import KafkaSettings


@click.group("topics")
def topics() -> None:
    """Topics of this deployment, at HOPLINE_KAFKA."""


@topics.command("create")
@json_option
def create(as_json: bool) -> None:
    """Create every topic that is missing, with its partitions, retention and compaction."""
    settings = resolve(KafkaSettings)
    created = asyncio.run(create_topics(settings))
    if as_json:
        show_json({"created": created})
        return
    for name in created:
        click.echo(f"created {name}")
    if not created:
        click.echo("all topics are there")


@topics.command("describe")
@json_option
def describe(as_json: bool) -> None:
    """Show what exists: partitions, messages, and how far each consumer group lags."""
    settings = resolve(KafkaSettings)
    states = asyncio.run(describe_topics(settings))
    if as_json:
        show_json([{"name": settings.full_name(s.name), "partitions": s.partitions, "messages": s.messages,
                    "lag": s.lag} for s in states])  # fmt: skip
        return
    rows = ((settings.full_name(s.name), s.partitions, s.messages, _lags(s.lag)) for s in states)
    show_table(("topic", "partitions", "messages", "lag"), rows)


def _lags(lag: dict[str, int]) -> str:
    return ", ".join(f"{group} {count}" for group, count in sorted(lag.items()))
