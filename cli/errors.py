"""What a command can fail with.

CommandFailed      exit code 1: the message is the one line on stderr, and says what to do
└── BrokerProblem  the embedded broker can't start or has died: the operator acts
"""

import click

from cli.plain import lines


class CommandFailed(click.ClickException):
    """A failure that needs no traceback. Click prints it through `show` and exits with 1."""

    def show(self, file: object = None) -> None:
        click.echo(f"hopline: {lines(self.format_message())}", err=True)


class BrokerProblem(CommandFailed):
    """The message names what is in the way and the way around it."""
