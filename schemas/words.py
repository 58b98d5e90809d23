"""What counts as a word, for chunks that are indexed and queries that look for them alike. Pure."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

_RUN = re.compile(r"\w+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
"""Scripts without spaces between words: kana and Han."""

MAX_WORD_CHARS = 64
"""The rest of a longer one, which is no word, is left out."""


def words_of(text: str) -> list[str]:
    """In order, in small letters, accents kept, compatibility forms unified (NFKC).

    Scripts without spaces give pairs of neighbouring signs, which find words of any length without a
    dictionary; a sign that stands alone is a word.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [word for run in _RUN.finditer(folded) for word in _words(run[0])]


def _words(run: str) -> Iterator[str]:
    end = 0
    for signs in _UNSPACED.finditer(run):
        if signs.start() > end:
            yield run[end : signs.start()][:MAX_WORD_CHARS]
        yield from _pairs(signs[0])
        end = signs.end()
    if end < len(run):
        yield run[end:][:MAX_WORD_CHARS]


def _pairs(signs: str) -> Iterator[str]:
    if len(signs) == 1:
        yield signs
    for first, second in pairwise(signs):
        yield first + second
