"""How commands show what they have: tables and trees for people, TSV and JSON for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import orjson
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from cli.plain import lines, one_line

json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")

_UNLIMITED = 1_000_000
"""Characters in a line."""

_GAP = _INDENT = "  "
_FOLDED = 20
"""Characters that the last column of a table is folded to at least."""

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
    """A table on a terminal, a row in as many lines as it needs; else TSV with a line of names."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            click.echo("\t".join(_cell(value).translate(_ESCAPED) for value in row))
        return
    cells = [[one_line(_cell(value)) for value in row] for row in (columns, *rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    screen = console()
    bands = _bands(widths, screen.width)
    if len(bands) == 1:
        _show_lines(screen, cells)
        return
    for number, row in enumerate(cells):
        for indent, band in zip(("", *[_INDENT] * len(bands)), bands, strict=False):
            padded = (row[place] + " " * (widths[place] - cell_len(row[place])) for place in band)
            if line := _GAP.join(padded).rstrip():
                # The terminal breaks what is too long for it, and so gives it whole to whoever copies it.
                screen.print(Text(indent + line, "" if number else "bold"), soft_wrap=True)


def _show_lines(screen: Console, cells: Sequence[Sequence[str]]) -> None:
    """The first row is that of the names; of the last column, a long text is folded."""
    table = Table(box=None, pad_edge=False, padding=(0, len(_GAP), 0, 0), header_style="bold")
    for place, name in enumerate(cells[0], 1):
        table.add_column(Text(name), overflow="fold", no_wrap=place < len(cells[0]))
    for row in cells[1:]:
        table.add_row(*map(Text, row))
    screen.print(table)


def _bands(widths: Sequence[int], room: int) -> list[list[int]]:
    """The places of the columns that stand in one line: of all in the first, if it has room, else each line
    has as many as it has room for. The last column may be folded."""
    bands: list[list[int]] = [[]]
    used = 0
    for place, width in enumerate(widths):
        needed = min(width, _FOLDED) if place == len(widths) - 1 else width
        if bands[-1] and used + needed > room:
            bands.append([])
            used = len(_INDENT)
        bands[-1].append(place)
        used += width + len(_GAP)
    return bands


def show_fields(fields: Mapping[str, Any]) -> None:
    """Name and value a line; what is None is left out."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        if value is not None:
            click.echo(f"{name:<{width}}  {lines(_cell(value))}")


def duration(seconds: float | None) -> str:
    """In the unit that fits, also once it is rounded; a run may have waited for months."""
    if seconds is None:
        return ""
    if seconds < 0.000_999_5:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.999_5:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.009_95 else f"{seconds * 1000:.1f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def moment(timestamp: str) -> str:
    """To the second, for lists; `timestamp` in RFC 3339 and UTC, as the API gives it."""
    return f"{timestamp[:19].replace('T', ' ')}Z" if timestamp.endswith("Z") else timestamp


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
