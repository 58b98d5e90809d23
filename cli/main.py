"""The command `hopline`. Exit codes: 0 success, 1 a failure explained in a line on stderr, 2 wrong usage."""

import errno
from collections.abc import Mapping

import click

from cli.errors import CommandFailed
from cli.garbage import load
from transport.errors import TransportError

_MODULES: Mapping[str, str] = {
    "up": "up",
    "broker": "broker",
    "ingress": "roles",
    "worker": "roles",
    "sink": "roles",
    "sandbox": "sandbox",
    "topics": "topics",
    "workflow": "workflow",
    "trigger": "trigger",
    "trigger-log": "trigger_log",
    "model-provider": "model_provider",
    "tool-provider": "tool_provider",
    "github-connection": "connections",
    "slack-connection": "connections",
    "subscription": "subscription",
    "oauth-client": "oauth_client",
    "dataset": "dataset",
    "run": "run",
    "dlq": "dlq",
    "sql": "sql",
    "stats": "stats",
    "storage": "storage",
    "tenant": "tenant",
}
"""Where each command is: in that module of this package, under its own name with underscores."""


class _Commands(click.Group):
    """Loads a command when it is asked for: no other has to wait for what it needs. Turns what the operator
    can act on into one line; anything else is a bug and keeps its traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(load(f"cli.{module}"), cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except TransportError as error:
            raise CommandFailed(str(error)) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise CommandFailed(f"cannot write: {error.strerror}") from error


@click.group(cls=_Commands)
@click.version_option(package_name="hopline")
def main() -> None:
    """Event-driven automation on Kafka, Faust and ClickHouse."""


if __name__ == "__main__":
    main()
