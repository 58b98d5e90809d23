"""Which traces are kept: decided where they begin, and told by the flag of `traceparent` from there on."""

from schemas.traces import Context, context_of, root, trace_id
from transport.telemetry.settings import SamplerName

_RANDOM_DIGITS = 14
"""W3C Trace Context Level 2, "random trace-id flag": the last 7 bytes are random. In a UUID they are."""

_VALUES = 1 << (4 * _RANDOM_DIGITS)


class Sampler:
    """Pure. Deciding on a context again, here or in another process, changes nothing."""

    def __init__(self, name: SamplerName = "parentbased_always_on", ratio: float = 1.0) -> None:
        """See `SamplingSettings`."""
        self._heeds_parent = name.startswith("parentbased_")
        kind = name.removeprefix("parentbased_")
        share = {"always_on": 1.0, "always_off": 0.0}.get(kind, ratio)
        self._least = round((1.0 - share) * _VALUES)
        """Of what is kept: the threshold of OpenTelemetry's consistent probability sampling."""

    def sent(self, traceparent: str | None) -> Context | None:
        """The context that somebody has sent, with our decision; None for none, and for a malformed one."""
        context = context_of(traceparent)
        if context is None or self._heeds_parent:
            return context
        return context._replace(sampled=self._keeps(context.trace_id))

    def begins(self, record_id: str) -> bool:
        """Whether the trace that begins with the record is kept."""
        return self._least == 0 or self._keeps(trace_id(record_id))

    def _keeps(self, trace: str) -> bool:
        return int(trace[-_RANDOM_DIGITS:], 16) >= self._least


def of_event(sent: Context | None, event_id: str, sampled: bool) -> str | None:
    """`traceparent` of an event's record: what it is under; None where it begins a trace that is kept."""
    if sent is not None:
        return sent.traceparent
    return None if sampled else root(event_id, sampled=False)
