"""Which traces are kept."""

import pytest

from schemas.ids import new_id
from schemas.traces import context_of, trace_id
from transport.telemetry.sampling import Sampler, of_event
from transport.telemetry.settings import SamplerName, SamplingSettings

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
KEPT, LEFT = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


@pytest.mark.parametrize(
    ("name", "kept", "left", "own"),
    [
        ("parentbased_always_on", True, False, True),
        ("parentbased_always_off", True, False, False),
        ("always_on", True, True, True),
        ("always_off", False, False, False),
    ],
)
def test_the_sender_is_heeded_where_the_sampler_says_so(
    name: SamplerName, kept: bool, left: bool, own: bool
) -> None:
    sampler = Sampler(name)
    found = [sampler.sent(header) for header in (KEPT, LEFT)]
    assert [one and one.sampled for one in found] == [kept, left]
    assert {one and (one.trace_id, one.span_id) for one in found} == {(TRACE, SPAN)}
    assert sampler.begins(new_id()) is own
    assert sampler.sent("no trace") is None


@pytest.mark.parametrize("name", ["traceidratio", "parentbased_traceidratio"])
def test_a_share_of_the_traces_is_kept(name: SamplerName) -> None:
    events = [new_id() for _ in range(4_000)]
    for ratio in (0.0, 0.1, 0.5, 1.0):
        kept = [Sampler(name, ratio).begins(event) for event in events]
        # Six standard deviations at most: of 10**9 runs of this test one fails.
        assert abs(sum(kept) - 4_000 * ratio) <= 6 * (4_000 * ratio * (1 - ratio)) ** 0.5
        more = Sampler(name, min(1.0, ratio + 0.25))
        assert all(more.begins(event) for event, was in zip(events, kept, strict=True) if was)


def test_deciding_again_changes_nothing() -> None:
    sampler = Sampler("traceidratio", 0.5)
    for _ in range(50):
        event = new_id()
        decided = sampler.sent(f"00-{trace_id(event)}-{SPAN}-01")
        assert decided is not None
        assert sampler.sent(decided.traceparent) == decided
        assert decided.sampled == sampler.begins(event)


def test_what_a_record_says_of_the_trace() -> None:
    event = new_id()
    sent = context_of(KEPT)
    assert of_event(sent, event, True) == KEPT
    assert of_event(None, event, True) is None
    assert of_event(None, event, False) == f"00-{trace_id(event)}-{'0' * 16}-00"


def test_the_names_are_those_of_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SamplingSettings().name == "parentbased_always_on"
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    assert SamplingSettings() == SamplingSettings(
        OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG=0.25
    )
    assert (SamplingSettings().name, SamplingSettings().ratio) == ("traceidratio", 0.25)
