"""Trace contexts as they are sent, and as they follow from records."""

import uuid

import pytest

from schemas.ids import new_id
from schemas.traces import Context, child, context_of, root, span_id, trace_id

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


def test_a_header_says_trace_span_and_flag() -> None:
    assert context_of(GIVEN) == Context(TRACE, SPAN, True)
    assert context_of(f"00-{TRACE}-{SPAN}-00") == Context(TRACE, SPAN, False)
    # Only the lowest bit is the sampled flag.
    assert context_of(f"00-{TRACE}-{SPAN}-02") == Context(TRACE, SPAN, False)
    assert context_of(f" {GIVEN}") == Context(TRACE, SPAN, True)
    assert Context(TRACE, SPAN, True).traceparent == GIVEN


def test_a_later_version_may_say_more() -> None:
    assert context_of(f"cc-{TRACE}-{SPAN}-01-what-the-future-brings") == Context(TRACE, SPAN, True)
    assert context_of(f"cc-{TRACE}-{SPAN}-01") == Context(TRACE, SPAN, True)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "no trace",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01more",
    ],
)
def test_what_is_malformed_is_ignored(header: str | None) -> None:
    assert context_of(header) is None


def test_ids_follow_from_those_of_records() -> None:
    record = "11111111-2222-4333-8444-555555555555"
    assert trace_id(record) == "11111111222243338444555555555555"
    assert span_id(record) == "8444555555555555"
    assert child(GIVEN, record) == f"00-{TRACE}-8444555555555555-01"
    assert root(record) == f"00-{trace_id(record)}-{'0' * 16}-01"
    assert root(record, sampled=False).endswith("-00")
    # A first span has no parent that could be sent.
    assert context_of(root(record)) is None


def test_the_ids_of_any_uuid_are_valid() -> None:
    for record in (new_id(), str(uuid.UUID(int=0, version=4)), str(uuid.uuid5(uuid.NAMESPACE_DNS, "a"))):
        assert context_of(f"00-{trace_id(record)}-{span_id(record)}-01") is not None
