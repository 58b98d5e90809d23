"""Every format, in the process of the test: what its text looks like."""

import codecs
import io
import json
import zipfile

import pytest

from streams.executors.documents.inside.encodings import decode
from streams.executors.documents.inside.errors import TextExtractionError, UnsupportedFileTypeError
from streams.executors.documents.inside.formats import extract
from tests.streams.executors.documents import samples

_RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5
_CHINESE = "天地玄黄。宇宙洪荒。日月盈昃。辰宿列张。寒来暑往。秋收冬藏。" * 5


def text_of(content: bytes, extension: str = "", mime_type: str = "") -> str:
    return extract(content, extension, mime_type, 1 << 20)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("naïve café", "utf-8"),
        ("naïve café", "utf-8-sig"),
        ("naïve café", "utf-16"),
        (_RUSSIAN, "cp1251"),
        (_CHINESE, "gb18030"),
    ],
)
def test_text_is_read_in_whatever_encoding(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_a_byte_order_mark_alone_is_no_text() -> None:
    assert decode(codecs.BOM_UTF8) == ""
    assert decode(b"") == ""


@pytest.mark.parametrize("extension", [".txt", "MD", "html", "vtt", ".py"])
def test_text_stays_as_it_is(extension: str) -> None:
    assert text_of(b"<h1>a</h1>\n b", extension) == "<h1>a</h1>\n b"


def test_json_and_yaml_are_written_out() -> None:
    assert text_of(b'{"a":["\\u00e9"]}', "json") == json.dumps({"a": ["é"]}, indent=2, ensure_ascii=False)
    assert text_of("b: {c: é}\na: 1\n---\n- 2".encode(), "yml") == "b:\n  c: é\na: 1\n---\n- 2\n"


def test_values_between_commas_become_a_table() -> None:
    content = b'name,note\nx,"two\nlines"\ny,\n'
    assert text_of(content, "csv") == "| name | note |\n| ---- | ---- |\n| x | two lines |\n| y |  |\n"
    assert text_of(b"a\tb\n1\t2", "tsv") == "| a | b |\n| - | - |\n| 1 | 2 |\n"
    assert text_of(b"", "csv") == ""


def test_properties() -> None:
    assert text_of(b"# c\na = 1=2\nb:3\nalone\n\n", "properties") == "# c\na: 1=2\nb: 3\nalone: \n"


def test_captions_of_a_speaker_are_one_line() -> None:
    content = (
        b"WEBVTT\n\nNOTE nothing\n\n1\n00:00.000 --> 00:01.000 align:left\n<v Ann>Hi\n\n"
        b"00:01.000 --> 00:02.000\n<v Ann>there</v>\n\n00:02.000 --> 00:03.000\n<v Bob><i>Yes</i>\n\n"
        b"00:03.000 --> 00:04.000\nnoise\n"
    )
    assert text_of(content, mime_type="text/vtt") == 'Ann "Hi there"\nBob "Yes"\n "noise"'


def test_pdf_pages_follow_one_another() -> None:
    assert text_of(samples.pdf("Hello", "World"), "pdf") == "HelloWorld"


def test_word_paragraphs_and_tables_in_order() -> None:
    content = samples.word([["h1", "h2"], ["a\nb", "c"]])
    table = "| h1 | h2 |\n| --- | --- |\n| a<br>b | c |\n"
    assert text_of(content, "docx") == f"Report\nFirst.\n{table}\nLast."


def test_an_empty_table_of_word_is_left_out() -> None:
    assert text_of(samples.word([["", " "]]), "docx") == "Report\nFirst.\nLast."


def test_word_by_a_tool_that_writes_backslashes() -> None:
    with zipfile.ZipFile(io.BytesIO(samples.word())) as source:
        files = {name.replace("/", "\\"): source.read(name) for name in source.namelist()}
    assert text_of(samples.archive(files), "docx") == "Report\nFirst.\nLast."


def test_each_sheet_is_a_table() -> None:
    content = samples.sheets(
        first=[["name", "value"], ["a", 1], [], ["b\nc", 1.5], ["", True]], empty=[], last=[["x"]]
    )
    assert text_of(content, "xlsx") == (
        "| name | value |\n| ---- | ----- |\n| a | 1 |\n| b c | 1.5 |\n|  | True |\n\n| x |\n| - |\n\n"
    )


def test_slides_with_groups_and_tables() -> None:
    assert (
        text_of(samples.slides(), "pptx") == "Title\none\ntwo\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\ngrouped"
    )


def test_chapters_of_a_book_in_reading_order() -> None:
    first = "<h1>One</h1><p>a <b>bold</b>\n word</p><script>no()</script><!-- no --> tail"
    assert text_of(samples.epub(first, "<p>Two</p>"), "epub") == "One\na bold word\ntail\nTwo"
    assert text_of(samples.epub("<p>x</p>", package_path="content.opf"), "epub") == "x"


def test_open_document_text() -> None:
    assert text_of(samples.odt(), "odt") == "Head\none\ttwo three\n| a | b |\n| --- | --- |"


def test_mail_is_its_body() -> None:
    assert text_of(samples.mail("plain é", "<p>html</p>"), "eml") == "plain é"
    assert text_of(samples.mail(None, "<p>only <i>html</i></p><p>x</p>"), "eml") == "only html\nx"


def test_the_extension_wins_over_the_type() -> None:
    assert text_of(b"a,b", "txt", "text/csv") == "a,b"
    assert text_of(b"a,b", "", "text/csv; charset=utf-8") == "| a | b |\n| - | - |\n"


@pytest.mark.parametrize(
    ("extension", "mime_type", "why"),
    [
        ("exe", "text/plain", "Unsupported Extension Type: .exe"),
        ("doc", "", "Unsupported Extension Type: .doc"),
        ("", "image/png", "Unsupported MIME type: image/png"),
        ("", "", "neither an extension nor a MIME type"),
    ],
)
def test_an_unknown_format_is_named(extension: str, mime_type: str, why: str) -> None:
    with pytest.raises(UnsupportedFileTypeError, match=why):
        text_of(b"x", extension, mime_type)


@pytest.mark.parametrize(
    ("extension", "format_name"),
    [
        ("pdf", "PDF"),
        ("docx", "DOCX"),
        ("xlsx", "Excel"),
        ("pptx", "PPTX"),
        ("epub", "EPUB"),
        ("json", "JSON"),
    ],
)
def test_a_broken_document_says_which_format_it_is_not(extension: str, format_name: str) -> None:
    with pytest.raises(TextExtractionError, match=f"Failed to extract text from {format_name}: "):
        text_of(b"not what it says", extension)


def test_an_archive_that_unpacks_to_too_much_is_not_opened() -> None:
    bomb = samples.archive({"word/document.xml": b"0" * (2 << 20)})
    with pytest.raises(TextExtractionError, match="unpacks to 2097152 bytes"):
        text_of(bomb, "docx")


def test_entities_of_a_book_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><container>&b;</container>'
    with pytest.raises(TextExtractionError, match="EntitiesForbidden"):
        text_of(samples.archive({"META-INF/container.xml": bomb}), "epub")
