"""Rows to Markdown, in the shapes in which Dify writes them."""

from collections.abc import Iterable, Sequence


def pipe_row(cells: Iterable[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def pipe_table(rows: Sequence[Sequence[str]]) -> str:
    """The first row is the header, ruled as wide as its names; every line ends with a line break."""
    if not rows:
        return ""
    clean = [[_one_line(cell) for cell in row] for row in rows]
    rule = pipe_row("-" * len(cell) for cell in rows[0])
    return "".join(f"{line}\n" for line in (pipe_row(clean[0]), rule, *map(pipe_row, clean[1:])))


def prose_table(rows: Sequence[Sequence[str]]) -> str:
    """A table within running text: line breaks of a cell become `<br>`. "" for one without any text."""
    if not any(cell.strip() for row in rows for cell in row):
        return ""
    lines = [pipe_row(cell.replace("\n", "<br>") for cell in row) for row in rows]
    lines.insert(1, pipe_row("---" for _ in rows[0]))
    return "".join(f"{line}\n" for line in lines)


def _one_line(cell: str) -> str:
    return cell.replace("\n", " ").replace("\r", "")
