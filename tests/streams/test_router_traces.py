"""Which trace an event belongs to once it is routed."""

from dataclasses import replace
from typing import Any, cast

from schemas.ids import new_id
from schemas.traces import span_id, trace_id
from streams.offload import Offload
from streams.router import Router
from tests.streams.test_router import CODEC, NOW_US, Bench, bench, told_by_command
from transport.feed import DefinitionsFeed
from transport.telemetry.sampling import Sampler

__all__ = ["bench"]

SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
EVENT = new_id()


def routed(bench: Bench, header: str | None, **changes: Any) -> tuple[str | None, str | None]:
    """`traceparent` of the log, as it is told and as it goes with the start."""
    record = bench.event(event_id=EVENT, **changes)
    headers = [("traceparent", header.encode())] if header else []
    [command], [log] = bench.decide(replace(record, headers=headers))
    assert command["trigger_log"]["traceparent"] == log["traceparent"]
    told: str | None = log["traceparent"]
    return told, command["trigger_log"]["traceparent"]


def test_what_the_message_says_counts(bench: Bench) -> None:
    assert routed(bench, SENT)[0] == SENT


def test_an_event_over_http_has_a_span_that_the_routing_is_under(bench: Bench) -> None:
    told, _ = routed(bench, None, published_at=NOW_US)
    assert told == f"00-{trace_id(EVENT)}-{span_id(EVENT)}-01"
    # What is no trace context is as good as none.
    told, _ = routed(bench, "00-a", trigger_id="d2", published_at=NOW_US)
    assert told == f"00-{trace_id(EVENT)}-{span_id(EVENT)}-01"


def test_another_event_has_none(bench: Bench) -> None:
    assert routed(bench, None)[0] is None


def test_what_is_not_sampled_says_so(bench: Bench) -> None:
    bench.router = Router(
        cast(DefinitionsFeed, bench.feed),
        CODEC,
        bench.outcomes.append,
        Offload(),
        told_by_command,
        Sampler("always_off"),
    )
    assert routed(bench, None)[0] == f"00-{trace_id(EVENT)}-{'0' * 16}-00"
    told, _ = routed(bench, None, trigger_id="d2", published_at=NOW_US)
    assert told == f"00-{trace_id(EVENT)}-{span_id(EVENT)}-00"
