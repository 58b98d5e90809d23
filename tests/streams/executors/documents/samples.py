"""Documents made for the tests."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from email.message import EmailMessage

import docx
import pptx
import xlsxwriter
from pptx.util import Inches


def archive(files: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return buffer.getvalue()


def word(table: Sequence[Sequence[str]] = ()) -> bytes:
    document = docx.Document()
    document.add_heading("Report", 1)
    document.add_paragraph("First.")
    if table:
        made = document.add_table(len(table), len(table[0]))
        for row, cells in zip(made.rows, table, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    document.add_paragraph("Last.")
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def sheets(**named: Sequence[Sequence[object]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as workbook:
        for name, rows in named.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return buffer.getvalue()


def slides() -> bytes:
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[0])
    first.shapes.title.text = "Title"
    first.placeholders[1].text = "one\ntwo"
    second = presentation.slides.add_slide(presentation.slide_layouts[6])
    grid = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, cells in enumerate((("a", "b"), ("1", "2"))):
        for column, text in enumerate(cells):
            grid.cell(row, column).text = text
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "grouped"
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def pdf(*pages: str) -> bytes:
    """The least PDF that shows a line on each page (ISO 32000-1, Annex H)."""
    kids = " ".join(f"{4 + 2 * i} 0 R" for i in range(len(pages)))
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(pages)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {5 + 2 * number} 0 R"
            "/Resources<</Font<</F1 3 0 R>>>>>>"
        )
        objects.append(f"<</Length {len(drawn)}>>stream\n{drawn}\nendstream")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj{body}endobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF"
    ).encode()


def epub(*chapters: str, package_path: str = "OEBPS/content.opf") -> bytes:
    folder = package_path.rpartition("/")[0]
    items = "".join(f'<item id="c{i}" href="ch%20{i}.xhtml"/>' for i in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{i}"/>' for i in range(len(chapters)))
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": (
            '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            f'<rootfile full-path="{package_path}"/></rootfiles></container>'
        ),
        package_path: (
            f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
            f"<spine>{spine}</spine></package>"
        ),
    }
    for number, chapter in enumerate(chapters):
        files[f"{folder}/ch {number}.xhtml".lstrip("/")] = f"<html><body>{chapter}</body></html>"
    return archive(files)


def odt() -> bytes:
    text, table = (
        "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    )
    content = (
        f'<doc xmlns:t="{text}" xmlns:b="{table}"><t:h>Head</t:h><t:p>one<t:tab/>two<t:s/>three</t:p>'
        "<b:table><b:table-row><b:table-cell><t:p>a</t:p></b:table-cell><b:table-cell><t:p>b</t:p>"
        "</b:table-cell></b:table-row></b:table></doc>"
    )
    return archive({"content.xml": content})


def mail(text: str | None, html: str | None) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content(text or "")
    if text is None and html is not None:
        message.set_content(html, subtype="html")
    elif html is not None:
        message.add_alternative(html, subtype="html")
    message.add_attachment(b"secret", maintype="application", subtype="octet-stream", filename="a.bin")
    return message.as_bytes()
