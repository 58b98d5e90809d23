"""Names of charsets are Python's own, but for what nobody sends text in."""

import codecs
from encodings.aliases import aliases

import pytest

from schemas.charsets import codec

_SENT = ["UTF-8", "us-ascii", "ISO-8859-1", "latin-1", "windows-1252", "cp874", "KOI8-U", "Shift_JIS"]
_NOT_SENT = {"mbcs", "utf_7"}


def test_names_are_those_that_python_knows() -> None:
    named = _SENT + [alias for alias, known in aliases.items() if known not in _NOT_SENT and alias.islower()]
    for charset in named:
        assert codecs.lookup(codec(charset)).name == codecs.lookup(charset).name


@pytest.mark.parametrize("charset", [None, "", "utf8"])
def test_without_one_it_is_utf_8(charset: str | None) -> None:
    assert "\u00e9".encode().decode(codec(charset)) == "\u00e9"


@pytest.mark.parametrize(
    "charset",
    ["klingon", "punycode", "IDNA", "unicode_escape", "unicode-escape", "undefined", "UTF-7", "\x00"],
)
def test_what_nobody_sends_text_in_is_none(charset: str) -> None:
    with pytest.raises(LookupError, match="unknown charset"):
        codec(charset)
