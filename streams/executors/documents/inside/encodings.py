"""Bytes to text, whatever they were written in."""

import codecs

import charset_normalizer

_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FALLBACK = "cp1252"
_SAMPLE_BYTES = 1 << 20


def decode(content: bytes) -> str:
    """Strict UTF-8 where that fits, else what the statistics say, else Windows-1252. No byte-order mark."""
    if not content.startswith(_BOMS[1:]):
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    # The statistics are slow, and of a long text a part says as much.
    best = charset_normalizer.from_bytes(content[:_SAMPLE_BYTES]).best()
    encoding = best.encoding if best else _FALLBACK
    return content.decode(encoding, "replace").removeprefix("\ufeff")
