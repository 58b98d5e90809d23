"""The commands and where they are."""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.main import main

CONTEXT = click.Context(main)
SAMPLES = Path(__file__).parents[2] / "samples"
FULL = Path("/dev/full")
"""Where whatever is written finds no space."""


@pytest.mark.parametrize("name", main.list_commands(CONTEXT))
def test_a_command_has_the_name_that_it_is_found_by(name: str) -> None:
    command = main.get_command(CONTEXT, name)
    assert command is not None
    assert command.name == name


def test_a_command_that_there_is_not() -> None:
    assert main.get_command(CONTEXT, "gardening") is None


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_is_told_in_a_line() -> None:
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "workflow",
        "check",
        SAMPLES / "order-review" / "workflow.yml",
    ]
    with FULL.open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "hopline: cannot write: No space left on device\n")
