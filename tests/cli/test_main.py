"""The commands and where they are."""

import click
import pytest

from cli.main import main

CONTEXT = click.Context(main)


@pytest.mark.parametrize("name", main.list_commands(CONTEXT))
def test_a_command_has_the_name_that_it_is_found_by(name: str) -> None:
    command = main.get_command(CONTEXT, name)
    assert command is not None
    assert command.name == name


def test_a_command_that_there_is_not() -> None:
    assert main.get_command(CONTEXT, "gardening") is None
