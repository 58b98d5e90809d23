"""Where something stands in a trace: W3C Trace Context, and ids of spans that follow from those of records.

Nobody makes a span while work is done. A record of the history is one: its id names it, its times are the
span's, and its `traceparent` says what it is under. What is done again has the same id, and is the same span.
See docs/adr/0030.
"""

import re
from typing import NamedTuple

TRACEPARENT = "traceparent"
"""The header, in HTTP and in Kafka."""

NO_SPAN = "0" * 16
"""As the parent in the `traceparent` of a record: its span is the first of the trace. Never sent."""

_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
"""Section 3.2.2. Later versions may have more behind the flags."""


class Context(NamedTuple):
    """A span, as those under it are told of it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    sampled: bool

    @property
    def traceparent(self) -> str:
        """In version 00."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def context_of(traceparent: str | None) -> Context | None:
    """What a header says; None for none, and for one that is to be ignored since it is malformed."""
    match = _TRACEPARENT.fullmatch(traceparent.strip()) if traceparent else None
    if match is None or (match["version"] == "00" and match["more"]):
        return None
    return Context(match["trace"], match["span"], bool(int(match["flags"], 16) & 1))


def trace_id(record_id: str) -> str:
    """The trace that begins with the record of that UUID."""
    return record_id.replace("-", "")


def span_id(record_id: str) -> str:
    """The span of the record of that UUID: its last 16 digits, which are never all zeros in a UUID."""
    return record_id[19:23] + record_id[24:]


def child(traceparent: str, record_id: str) -> str:
    """The same with the span of that record as the parent."""
    _, trace, _, flags = traceparent.split("-")
    return f"00-{trace}-{span_id(record_id)}-{flags}"


def of_record(traceparent: str | None, named_by: str, record_id: str) -> Context:
    """The span of the record of that UUID, which says in `traceparent` what it is under.

    `named_by`: the record that the trace begins with, for one that says nothing.
    """
    trace = traceparent[3:35] if traceparent else trace_id(named_by)
    return Context(trace, span_id(record_id), traceparent is None or traceparent.endswith("1"))


def root(record_id: str, sampled: bool = True) -> str:
    """Of a record whose span is the first of its trace."""
    return f"00-{trace_id(record_id)}-{NO_SPAN}-{'01' if sampled else '00'}"
