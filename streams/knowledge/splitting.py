"""Cuts a text into chunks: at paragraphs where that is fine enough, else at lines, sentences, words. Pure."""

from collections.abc import Iterator, Sequence

from schemas.models.dataset import Chunking

MAX_CHUNKS = 100_000
"""Of one document. Each may get a vector of kilobytes."""
MAX_CHARS = 64 << 20
"""Of all chunks of one document: where each repeats most of the one before it, it is many times the text."""


class TooManyChunks(ValueError):
    """The text says what to do."""


def split(text: str, chunking: Chunking) -> list[str]:
    """Chunks of at most `max_chars`, in order, each with the end of the one before it, as whole pieces of at
    most `overlap_chars`. Nothing of the text is left out but white space at the edges of chunks. Raises
    `TooManyChunks`."""
    chunks: list[str] = []
    chars = 0
    for packed in _packed(_pieces(text, chunking.separators, chunking.max_chars), chunking):
        if chunk := packed.strip():
            chunks.append(chunk)
            chars += len(chunk)
        if len(chunks) > MAX_CHUNKS or chars > MAX_CHARS:
            raise TooManyChunks(
                f"the document makes more than {MAX_CHUNKS} chunks, or {MAX_CHARS} characters of them:"
                " let the chunks of the dataset be larger, or overlap less"
            )
    return chunks


def _pieces(text: str, separators: Sequence[str], most: int) -> Iterator[str]:
    """Parts that are small enough, each with the separator that ended it; joined they are the text."""
    if len(text) <= most:
        if text:
            yield text
        return
    if not separators:
        yield from (text[start : start + most] for start in range(0, len(text), most))
        return
    first, *rest = separators
    start = 0
    while start < len(text):
        found = text.find(first, start) if first else -1
        end = len(text) if found < 0 else found + len(first)
        yield from _pieces(text[start:end], rest, most)
        start = end


def _packed(pieces: Iterator[str], chunking: Chunking) -> Iterator[str]:
    """As many pieces in a chunk as it holds. None is only what it shares with the one before it."""
    held: list[str] = []
    size = 0
    is_new = False
    for piece in pieces:
        if held and size + len(piece) > chunking.max_chars:
            if is_new:
                yield "".join(held)
            is_new = False
            held = _tail(held, min(chunking.overlap_chars, chunking.max_chars - len(piece)))
            size = sum(map(len, held))
        held.append(piece)
        size += len(piece)
        is_new = is_new or not piece.isspace()
    if is_new:
        yield "".join(held)


def _tail(pieces: Sequence[str], most: int) -> list[str]:
    """The last pieces that fit. Where not even one does, the end of the last, from a word's beginning."""
    kept: list[str] = []
    size = 0
    for piece in reversed(pieces):
        if size + len(piece) > most:
            break
        kept.append(piece)
        size += len(piece)
    if kept or most <= 0:
        return kept[::-1]
    cut = pieces[-1][-most:]
    _, space, rest = cut.partition(" ")
    return [rest] if space and rest else []
