"""Charsets by the names that senders choose. Pure."""

import encodings
from encodings.aliases import aliases
from pkgutil import iter_modules

_OF_PYTHON = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"})
"""Nobody sends text in these. They fail in ways of their own, make of bytes what no UTF-8 can hold, and take
the square of the length in time: for a megabyte of Punycode 20 seconds."""

_CODECS = frozenset(one.name for one in iter_modules(encodings.__path__)) - _OF_PYTHON


def codec(charset: str | None) -> str:
    """What Python calls the charset, UTF-8 where none is named. Raises `LookupError` for one that is none.

    Python itself would remember for ever each name that it does not know.
    """
    name = encodings.normalize_encoding(charset or "utf-8").lower()
    found = aliases.get(name) or aliases.get(name.replace(".", "_")) or name
    if found not in _CODECS:
        raise LookupError(f"unknown charset: {charset}")
    return found
