"""Summaries of large values."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.summaries import offloaded, offloaded_from, summary

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=20), inner, max_size=20),
    max_leaves=200,
)


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "short", [1, 2], {"a": {"b": "c"}}, [], {}])
def test_what_is_small_stays(value: Any) -> None:
    assert summary(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 100, "x" * 40 + "..."),
        ("\u00e9" * 100, "\u00e9" * 20 + "..."),
        ([1] * 100, [1] * 5),
        ({"a": "x" * 100, "b": 2}, {"a": "x" * 11 + "...", "b": 2}),
    ],
)
def test_what_is_large_is_cut(value: Any, expected: Any) -> None:
    assert summary(value, 40) == expected


@given(JSON)
@settings(max_examples=100, deadline=None)
def test_a_summary_is_bounded_and_of_the_same_type(value: Any) -> None:
    cut = summary(value, 500)
    assert type(cut) is type(value)
    assert len(orjson.dumps(cut)) < 5000


def test_a_record_says_where_the_whole_is() -> None:
    owner, digest = "0" * 36, "a" * 64
    record = offloaded({"a": 1}, owner, digest, 10)
    assert record["a"] == 1
    assert offloaded_from(record) == (owner, digest)


@pytest.mark.parametrize(
    "mark",
    [None, 1, {}, {"owner": "../x", "digest": "a" * 64}, {"owner": "0" * 36, "digest": "../../b"}],
)
def test_a_mark_that_somebody_made_up_leads_nowhere(mark: Any) -> None:
    assert offloaded_from({"__hopline_offloaded__": mark}) is None
