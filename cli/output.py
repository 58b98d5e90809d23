"""How commands show what they have: tables and trees for people, TSV and JSON for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import orjson
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")

_UNLIMITED = 1_000_000
"""Characters in a line."""

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")
_ONE_LINE = {**_CONTROL, ord("\n"): " ", ord("\t"): " ", ord("\r"): " "}
_LINES = {**_CONTROL, ord("\n"): "\n", ord("\t"): "\t", ord("\r"): ""}
# As ClickHouse and Postgres write TSV.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def console() -> Console:
    """On stdout as it is now; without a terminal no colours, and no line is broken or cut."""
    if sys.stdout.isatty():
        return Console(file=sys.stdout, highlight=False, emoji=False)
    # A tree cuts its lines to the width whatever is said of wrapping.
    return Console(file=sys.stdout, soft_wrap=True, width=_UNLIMITED, highlight=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """On stdout."""
    console().print(renderable)


def show_json(value: Any) -> None:
    """Indented, on stdout."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on a terminal, else TSV with a line of names."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(_cell(value).translate(_ESCAPED) for value in row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        # What one copies from a list stays in one piece; the columns beside it give way.
        table.add_column(one_line(column), overflow="fold", no_wrap=column in ("id", "url", "status"))
    for row in rows:
        table.add_row(*(Text(one_line(_cell(value))) for value in row))
    show(table)


def show_fields(fields: Mapping[str, Any]) -> None:
    """Name and value a line; what is None is left out."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value is not None:
            click.echo(f"{name:<{width}}  {lines(_cell(value))}")


def one_line(text: str) -> str:
    """Without line breaks and control characters: what came in by a webhook must not steer the terminal."""
    return text.translate(_ONE_LINE)


def lines(text: str) -> str:
    """Without control characters other than line breaks and tabs."""
    return text.translate(_LINES)


def duration(seconds: float | None) -> str:
    """In the unit that fits."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.1f} ms"
    return f"{seconds:.2f} s" if seconds < 60 else f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def moment(timestamp: str) -> str:
    """To the second, for lists; `timestamp` in RFC 3339 and UTC, as the API gives it."""
    return f"{timestamp[:19].replace('T', ' ')}Z" if timestamp.endswith("Z") else timestamp


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
