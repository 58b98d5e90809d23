"""Word, spreadsheets, slides."""

import io
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import docx
import pptx
import python_calamine
from docx.table import Table

from streams.executors.documents.inside.archives import open_archive, with_forward_slashes
from streams.executors.documents.inside.tables import pipe_row, prose_table


def from_docx(content: bytes, unpacked_bytes: int) -> str:
    """Paragraphs a line each, tables as Markdown, in order."""
    with open_archive(content, unpacked_bytes) as archive:
        if any("\\" in name for name in archive.namelist()):
            content = with_forward_slashes(archive)
    blocks = []
    for block in docx.Document(io.BytesIO(content)).iter_inner_content():
        text = _docx_table(block) if isinstance(block, Table) else block.text
        if text or not isinstance(block, Table):
            blocks.append(text)
    return "\n".join(blocks)


def from_spreadsheet(content: bytes, unpacked_bytes: int) -> str:
    """Every sheet that is not empty as a Markdown table, its first row the header. xlsx, xls, xlsb, ods."""
    if content.startswith(b"PK"):
        open_archive(content, unpacked_bytes).close()
    workbook = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    tables = (_sheet(workbook.get_sheet_by_name(name)) for name in workbook.sheet_names)
    return "".join(f"{table}\n\n" for table in tables if table)


def from_pptx(content: bytes, unpacked_bytes: int) -> str:
    """The text of every slide in order, a line for each paragraph, tables as Markdown."""
    open_archive(content, unpacked_bytes).close()
    presentation = pptx.Presentation(io.BytesIO(content))
    texts = (text for slide in presentation.slides for text in _shapes(slide.shapes))
    return "\n".join(text for text in texts if text.strip())


def _docx_table(table: Table) -> str:
    # A row's cells are counted anew for each look at them, so only one is taken.
    return prose_table([[cell.text for cell in row.cells] for row in table.rows])


def _sheet(sheet: Any) -> str:
    rows = [[_cell(value) for value in row] for row in sheet.iter_rows()]
    rows = [row for row in rows if any(row)]
    if not rows:
        return ""
    rule = pipe_row("-" * len(name) for name in rows[0])
    return "\n".join((pipe_row(rows[0]), rule, *map(pipe_row, rows[1:])))


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a spreadsheet knows no integers
    if isinstance(value, datetime | date | time | timedelta):
        return str(value)
    return " ".join(str(value).splitlines())


def _shapes(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif shape.has_text_frame:
            yield "\n".join(p.text for p in shape.text_frame.paragraphs if p.text.strip())
        elif getattr(shape, "has_table", False):
            yield prose_table([[cell.text for cell in row.cells] for row in shape.table.rows])
