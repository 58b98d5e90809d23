"""HTML and XML as text, and the formats made of them: EPUB, OpenDocument text."""

import posixpath
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from lxml import etree, html

from streams.executors.documents.inside.archives import open_archive
from streams.executors.documents.inside.tables import prose_table

_SKIPPED = frozenset({"script", "style", "head", "template", "noscript"})
_INLINE_NAMES = """
    a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q rp rt ruby s samp small
    span strike strong sub sup time tt u var wbr
"""
_INLINE = frozenset(_INLINE_NAMES.split())
_SPACE = re.compile(r"\s+")
_ODF_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_ODF_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def html_text(content: bytes | str) -> str:
    """The visible text: a line for each block, white space folded."""
    if not content.strip():
        return ""
    # Entities are not resolved and nothing is fetched; lxml bounds depth and expansion.
    parser = html.HTMLParser(no_network=True, encoding="utf-8" if isinstance(content, bytes) else None)
    root = html.document_fromstring(content, parser=parser)
    lines = "".join(_pieces(root)).split("\n")
    folded = (_SPACE.sub(" ", line).strip() for line in lines)
    return "\n".join(line for line in folded if line)


def from_epub(content: bytes, unpacked_bytes: int) -> str:
    """The chapters in reading order. Raises `ValueError`, `KeyError`, `zipfile.BadZipFile`."""
    with open_archive(content, unpacked_bytes) as archive:
        chapters = [html_text(archive.read(path)) for path in _spine(archive)]
    return "\n".join(chapter for chapter in chapters if chapter)


def from_odt(content: bytes, unpacked_bytes: int) -> str:
    """Paragraphs and headings a line each, tables as Markdown. Raises as `from_epub` does."""
    with open_archive(content, unpacked_bytes) as archive:
        body = ElementTree.fromstring(archive.read("content.xml"), forbid_dtd=True)
    return "\n".join(_odf_blocks(body)).strip()


def _pieces(root: Any) -> Iterator[str]:
    """Texts in order, with line breaks where blocks begin and end. Iterative: depth is the document's."""
    hidden = 0
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        skipped = node.tag in _SKIPPED
        edge = "" if node.tag in _INLINE else "\n"
        if event == "start":
            hidden += skipped
            text = edge + _folded(node.text)
        elif event == "end":
            hidden -= skipped
            text = edge + _folded(node.tail)
        else:
            text = _folded(node.tail)
        if not hidden:
            yield text


def _folded(text: str | None) -> str:
    """A line break in the source is a space; those that are left come from blocks."""
    return _SPACE.sub(" ", text or "")


def _spine(archive: zipfile.ZipFile) -> Iterator[str]:
    """Paths of the chapters (EPUB 3.3, "Package document")."""
    container = _xml(archive, "META-INF/container.xml")
    rootfile = container.find(".//{*}rootfile")
    package_path = _path(rootfile.get("full-path", "")) if rootfile is not None else ""
    if not package_path:
        raise ValueError("the package document is missing")
    package = _xml(archive, package_path)
    manifest = {item.get("id"): item.get("href", "") for item in package.iterfind(".//{*}manifest/{*}item")}
    for reference in package.iterfind(".//{*}spine/{*}itemref"):
        href = manifest.get(reference.get("idref"))
        if href:
            folder = posixpath.dirname(package_path)
            yield posixpath.normpath(posixpath.join(folder, _path(href))).lstrip("/")


def _xml(archive: zipfile.ZipFile, path: str) -> Element:
    root: Element = ElementTree.fromstring(archive.read(path))
    return root


def _path(reference: str) -> str:
    return unquote(urlsplit(reference).path).lstrip("/")


def _odf_blocks(node: Element) -> Iterator[str]:
    for child in node:
        if child.tag in (f"{_ODF_TEXT}p", f"{_ODF_TEXT}h"):
            yield _odf_text(child)
        elif child.tag == f"{_ODF_TABLE}table":
            yield prose_table(_odf_rows(child))
        else:
            yield from _odf_blocks(child)


def _odf_rows(table: Element) -> list[list[str]]:
    return [
        ["\n".join(_odf_blocks(cell)) for cell in row.iterfind(f"{_ODF_TABLE}table-cell")]
        for row in table.iter(f"{_ODF_TABLE}table-row")
    ]


def _odf_text(node: Element) -> str:
    parts = [node.text or ""]
    for child in node:
        if child.tag == f"{_ODF_TEXT}tab":
            parts.append("\t")
        elif child.tag == f"{_ODF_TEXT}line-break":
            parts.append("\n")
        elif child.tag == f"{_ODF_TEXT}s":
            parts.append(" ")
        else:
            parts.append(_odf_text(child))
        parts.append(child.tail or "")
    return "".join(parts)
