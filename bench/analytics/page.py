"""`docs/analytics.md` as the one place of the queries: what it asks, and how what it shows is written anew.

A question is a heading `### 7. Which …?`, its query the first block ```sql behind it, its output the block
```text right behind that, if there is one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

PAGE = Path(__file__).parents[2] / "docs" / "analytics.md"

_QUESTION = re.compile(
    r"^### (?P<title>[^\n]+)\n(?:(?!^#).)*?^```sql\n(?P<query>.*?)^```\n(?:\n```text\n(?P<output>.*?)```\n)?",
    re.MULTILINE | re.DOTALL,
)
_MARKED = "<!-- {} -->"


@dataclass(frozen=True, slots=True)
class Question:
    """`output`: what the page shows for it on the sample data, None where it shows nothing."""

    title: str
    query: str
    output: str | None

    @property
    def name(self) -> str:
        """For a table of figures: without Markdown."""
        return self.title.replace("`", "")


def questions(text: str) -> list[Question]:
    """All on the page, in its order."""
    return [Question(found["title"], found["query"], found["output"]) for found in _QUESTION.finditer(text)]


def with_outputs(text: str, answer: Callable[[str], str]) -> str:
    """The page with each output that it shows replaced by what `answer` gives for the query."""

    def renewed(found: re.Match[str]) -> str:
        if found["output"] is None:
            return found[0]
        begin, end = (place - found.start() for place in found.span("output"))
        return found[0][:begin] + answer(found["query"]) + found[0][end:]

    return _QUESTION.sub(renewed, text)


def with_block(text: str, name: str, block: str) -> str:
    """The page with what is between `<!-- name -->` and `<!-- end of name -->` replaced.

    Raises `ValueError` where the page has no such place.
    """
    begin, end = _MARKED.format(name), _MARKED.format(f"end of {name}")
    before, opened, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{PAGE.name} has no {begin} … {end}")
    return f"{before}{begin}\n{block}{end}{after}"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """As text, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    right = [all(isinstance(row[n], int | float | None) for row in rows) for n in range(len(columns))]
    lines = (
        "  ".join(
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in (columns, *cells)
    )
    return "".join(f"{line}\n" for line in lines)


def figures(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """What the queries took, as a table in Markdown."""
    lines = ["| query | seconds | rows read |", "|---|---|---|"]
    lines += [f"| {name} | {one['seconds']:.3f} | {one['rows_read']:,} |" for name, one in measured.items()]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
