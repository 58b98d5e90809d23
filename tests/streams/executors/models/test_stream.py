"""Server-Sent Events in pieces of any size."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.executors.models.stream import EventDecoder

BODY = (
    ': hello\r\n\r\ndata: {"a": "é"}\n\nevent: x\ndata:one\rdata: two\r\r\nid: 3\n\ndata: [DONE]\r\n\r\n'
).encode()
EVENTS = ['{"a": "é"}', "one\ntwo", "[DONE]"]


def decoded(pieces: list[bytes]) -> list[str]:
    decoder = EventDecoder()
    found = [payload for piece in pieces for payload in decoder.feed(piece)]
    return found + list(decoder.close())


@given(st.lists(st.integers(0, len(BODY)), max_size=10).map(sorted))
def test_the_cuts_do_not_matter(cuts: list[int]) -> None:
    edges = [0, *cuts, len(BODY)]
    assert decoded([BODY[a:b] for a, b in pairwise(edges)]) == EVENTS


def test_byte_by_byte() -> None:
    assert decoded([BODY[i : i + 1] for i in range(len(BODY))]) == EVENTS


@pytest.mark.parametrize("body", [b"data: x", b"data: x\n", b"data: x\r"])
def test_the_last_event_may_lack_its_end(body: bytes) -> None:
    assert decoded([body]) == ["x"]
