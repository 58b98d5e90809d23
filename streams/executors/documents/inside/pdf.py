"""PDF, by the library of Chromium: the same text that Dify gets."""

import pypdfium2


def from_pdf(content: bytes) -> str:
    """The text of all pages, one after the other. Raises `pypdfium2.PdfiumError`."""
    document = pypdfium2.PdfDocument(content)
    try:
        return "".join(_page(page) for page in document)
    finally:
        document.close()


def _page(page: pypdfium2.PdfPage) -> str:
    # Closed page by page: a long document would else hold all of them.
    textpage = page.get_textpage()
    try:
        text: str = textpage.get_text_range()
        return text
    finally:
        textpage.close()
        page.close()
