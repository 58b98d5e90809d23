"""The orders of one window, at a steady rate, with little kept of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.connection import Endpoint
from bench.load import open_loop
from bench.measure import percentile
from bench.orders import batch_name, orders

SAMPLED = 9
"""One order in so many is followed to its end."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was posted in it; times in unix seconds."""

    batch: str
    began_at: float
    sent: int
    sent_per_s: float
    """What the driver came to; less than asked for where it got too little of the processor."""
    accepted: int
    refusals: Mapping[str, int]
    ack_p50_ms: float
    ack_p99_ms: float
    unanswered: frozenset[str]
    """Orders that were sent and not accepted: refused, or answered too late. Some of them may have a run."""
    sent_at: Mapping[str, float]
    """Order id -> when it was sent, of the sampled ones."""


async def post_window(endpoint: Endpoint, per_s: float, seconds: float) -> Window:
    """Ends when the last of its orders has been answered."""
    batch = batch_name("endurance")
    count = max(2, round(per_s * seconds))
    posted = await open_loop(endpoint, orders(batch), per_s=per_s, count=count, on_progress=lambda _: None)
    ack_ms = list(posted.ack_ms.values())
    sent = list(posted.sent_at)
    took_s = posted.sent_at[sent[-1]] - posted.sent_at[sent[0]]
    return Window(
        batch=batch,
        began_at=posted.began_at,
        sent=len(sent),
        sent_per_s=(len(sent) - 1) / took_s if took_s else per_s,
        accepted=len(ack_ms),
        refusals=dict(posted.refusals),
        ack_p50_ms=percentile(ack_ms, 50),
        ack_p99_ms=percentile(ack_ms, 99),
        unanswered=frozenset(posted.sent_at.keys() - posted.ack_ms.keys()),
        sent_at={order: posted.sent_at[order] for order in sent[::SAMPLED]},
    )
