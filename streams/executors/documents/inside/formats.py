"""Which format is read by what: by extension, else by MIME type, as Dify tells them."""

from collections.abc import Callable
from typing import NamedTuple

from streams.executors.documents.inside import mail, markup, office, pdf, plain
from streams.executors.documents.inside.errors import (
    DocumentExtractorError,
    TextExtractionError,
    UnsupportedFileTypeError,
)

_OFFICE = "application/vnd.openxmlformats-officedocument"
_TEXT_EXTENSIONS = """
    txt text markdown md mdx rst html htm xml vtt srt log jsonl ini cfg conf toml env css scss less sass
    c h cpp hpp cc cxx c++ py js ts jsx tsx java php rb go rs swift kt scala sh bash bat ps1 sql r m pl lua
    vim asm s
"""
_TEXT_TYPES = "text/plain text/html text/htm text/markdown text/xml application/xml application/xhtml+xml"


class Format(NamedTuple):
    """One way to read documents."""

    name: str
    read: Callable[[bytes, int], str]
    """The bytes, and what an archive may unpack to."""
    extensions: str
    mime_types: str = ""


def _whole(read: Callable[[bytes], str]) -> Callable[[bytes, int], str]:
    return lambda content, _: read(content)


_FORMATS = (
    Format("plain text", _whole(plain.plain), _TEXT_EXTENSIONS, _TEXT_TYPES),
    Format("JSON", _whole(plain.from_json), "json", "application/json"),
    Format("YAML", _whole(plain.from_yaml), "yaml yml", "application/x-yaml application/yaml text/yaml"),
    Format("CSV", _whole(plain.from_csv), "csv", "text/csv"),
    Format("TSV", _whole(plain.from_tsv), "tsv", "text/tab-separated-values"),
    Format("properties", _whole(plain.from_properties), "properties", "text/properties"),
    Format("WebVTT", _whole(plain.from_vtt), "", "text/vtt"),
    Format("PDF", _whole(pdf.from_pdf), "pdf", "application/pdf"),
    Format("DOCX", office.from_docx, "docx", f"{_OFFICE}.wordprocessingml.document"),
    Format(
        "Excel",
        office.from_spreadsheet,
        "xlsx xlsm xls xlsb ods",
        f"{_OFFICE}.spreadsheetml.sheet application/vnd.ms-excel "
        "application/vnd.oasis.opendocument.spreadsheet",
    ),
    Format("PPTX", office.from_pptx, "pptx", f"{_OFFICE}.presentationml.presentation"),
    Format("EPUB", markup.from_epub, "epub", "application/epub+zip"),
    Format("ODT", markup.from_odt, "odt", "application/vnd.oasis.opendocument.text"),
    Format("EML", _whole(mail.from_eml), "eml", "message/rfc822"),
)
_BY_EXTENSION = {extension: one for one in _FORMATS for extension in one.extensions.split()}
_BY_MIME_TYPE = {mime_type: one for one in _FORMATS for mime_type in one.mime_types.split()}


def extract(content: bytes, extension: str, mime_type: str, unpacked_bytes: int) -> str:
    """The document's text. `extension` with or without its dot; it wins over the MIME type.

    Raises `UnsupportedFileTypeError`, `TextExtractionError`, and `MemoryError` where the limit is met.
    """
    found = _format(extension.lower().removeprefix("."), mime_type.partition(";")[0].strip().lower())
    try:
        return found.read(content, unpacked_bytes)
    except (DocumentExtractorError, MemoryError) as error:
        if isinstance(error, TextExtractionError):
            raise TextExtractionError(f"Failed to extract text from {found.name}: {error}") from error
        raise
    except RecursionError as error:
        raise TextExtractionError(f"Failed to extract text from {found.name}: nested too deeply") from error
    except Exception as error:  # parsers raise whatever they like about a broken document
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise TextExtractionError(f"Failed to extract text from {found.name}: {why}") from error


def _format(extension: str, mime_type: str) -> Format:
    if extension:
        if extension not in _BY_EXTENSION:
            raise UnsupportedFileTypeError(f"Unsupported Extension Type: .{extension}")
        return _BY_EXTENSION[extension]
    if not mime_type:
        raise UnsupportedFileTypeError(
            "The file has neither an extension nor a MIME type to tell its format by"
        )
    if mime_type not in _BY_MIME_TYPE:
        raise UnsupportedFileTypeError(f"Unsupported MIME type: {mime_type}")
    return _BY_MIME_TYPE[mime_type]
