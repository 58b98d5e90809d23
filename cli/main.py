"""The command `hopline`. Exit codes: 0 success, 1 a failure explained in a line on stderr, 2 wrong usage."""

import click

from cli.broker import broker
from cli.connections import github_connection, slack_connection
from cli.dataset import dataset
from cli.dlq import dlq
from cli.errors import CommandFailed
from cli.flow import COMMANDS as FLOW
from cli.model_provider import model_provider
from cli.oauth_client import oauth_client
from cli.roles import ingress, sink, worker
from cli.run import run
from cli.sandbox import sandbox
from cli.sql import sql
from cli.stats import stats
from cli.storage import storage
from cli.subscription import subscription
from cli.tenant import tenant
from cli.tool_provider import tool_provider
from cli.topics import topics
from cli.trigger import trigger
from cli.trigger_log import trigger_log
from cli.up import up
from cli.watch import watch
from cli.workflow import workflow
from transport.errors import TransportError


class _Commands(click.Group):
    """Turns what the operator can act on into one line; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TransportError as error:
            raise CommandFailed(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="hopline")
def main() -> None:
    """Event-driven automation on Kafka, Faust and ClickHouse."""


for _command in (
    up, broker, ingress, worker, sink, sandbox, topics, workflow, trigger, trigger_log, model_provider,
    tool_provider, github_connection, slack_connection, subscription, oauth_client, dataset, run, dlq, sql,
    stats, storage, tenant,
):  # fmt: skip
    main.add_command(_command)

run.add_command(watch)
for _command in FLOW:
    workflow.add_command(_command)

if __name__ == "__main__":
    main()
