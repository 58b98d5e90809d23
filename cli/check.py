"""`hopline workflow check`: everything that is wrong with a workflow file, without a broker."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from cli.errors import CommandFailed
from cli.files import FILE, read_text
from cli.output import json_option, show_json
from cli.plain import one_line
from schemas.dsl import parse_dsl
from schemas.errors import InvalidDefinition, Problem
from schemas.graph import remarks


@click.command("check")
@click.argument("file", type=FILE)
@json_option
def check(file: Path, as_json: bool) -> None:
    """Name every problem of a Dify DSL file or plain graph JSON. Needs no broker."""
    text = read_text(file)
    name = "stdin" if str(file) == "-" else str(file)
    problems: tuple[Problem, ...] = ()
    warnings: list[Problem] = []
    try:
        app = parse_dsl(text)
        warnings = remarks(app.graph, app.mode)
    except InvalidDefinition as wrong:
        problems = wrong.problems
    if as_json:
        show_json({"ok": not problems, "problems": _rows(problems), "warnings": _rows(warnings)})
    else:
        for problem in problems:
            click.echo(one_line(str(problem)))
        for warning in warnings:
            click.echo(f"warning: {one_line(str(warning))}")
    if problems:
        raise CommandFailed(f"{name} has {len(problems)} problem{'s' if len(problems) > 1 else ''}")
    if not as_json:
        click.echo(f"{name} is fine: {app.mode} with {len(app.graph['nodes'])} nodes, DSL {app.dsl_version}")


def _rows(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    return [{"node": one.node, "field": one.field, "why": one.why} for one in problems]
