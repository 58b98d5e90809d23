"""Chunks: how large, where they end, what they share."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.models.dataset import Chunking
from streams.knowledge.splitting import MAX_CHUNKS, TooManyChunks, split


def chunking(
    most: int, overlap: int = 0, separators: tuple[str, ...] = ("\n\n", "\n", ". ", " ")
) -> Chunking:
    return Chunking.model_construct(max_chars=most, overlap_chars=overlap, separators=separators)


def test_a_short_text_is_one_chunk() -> None:
    assert split("  one\n\ntwo ", chunking(50)) == ["one\n\ntwo"]
    assert split(" \n ", chunking(50)) == []


def test_it_is_cut_at_paragraphs_first() -> None:
    text = "one one\n\ntwo two two\n\nthree"
    assert split(text, chunking(22)) == ["one one\n\ntwo two two", "three"]
    assert split(text, chunking(13)) == ["one one", "two two two", "three"]


def test_what_is_too_long_is_cut_more_finely() -> None:
    assert split("A b c. D e f.\n\nG", chunking(8)) == ["A b c.", "D e f.", "G"]
    assert split("aaaa bbbb cccc", chunking(9)) == ["aaaa", "bbbb cccc"]
    assert split("abcdefghij", chunking(4)) == ["abcd", "efgh", "ij"]


def test_chunks_share_whole_pieces() -> None:
    assert split("one two three four", chunking(10, 4)) == ["one two", "two three", "four"]


def test_chunks_share_the_end_of_a_long_piece_from_a_word_on() -> None:
    first, second = split("alpha beta gamma\n\ndelta", chunking(18, 8, ("\n\n",)))
    assert (first, second) == ("alpha beta gamma", "gamma\n\ndelta")


@pytest.mark.parametrize("overlap", [0, 7])
@given(text=st.text(alphabet="ab \n.", max_size=200))
@example(text="aaaaaaaaaaaaaaaaa a  ")
def test_nothing_but_white_space_is_lost_and_no_chunk_is_too_long(overlap: int, text: str) -> None:
    chunks = split(text, chunking(20, overlap))
    assert all(0 < len(chunk) <= 20 for chunk in chunks)
    position = 0
    bare = "".join(text.split())
    for chunk in chunks:
        piece = "".join(chunk.split())
        found = next(start for start in range(position, -1, -1) if bare.startswith(piece, start))
        assert found + len(piece) > position or not piece
        position = found + len(piece)
    assert position == len(bare)


@pytest.mark.parametrize(
    ("text", "most", "overlap"),
    [("x" * (50 * MAX_CHUNKS + 1), 50, 0), ("abcdefg " * 10_000, 16_000, 15_999)],
    ids=["chunks", "overlap"],
)
def test_what_becomes_too_much_is_refused(text: str, most: int, overlap: int) -> None:
    with pytest.raises(TooManyChunks, match="overlap less"):
        split(text, chunking(most, overlap))
    assert split(text[: len(text) // 2], chunking(most, 0))
