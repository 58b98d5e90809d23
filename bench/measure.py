"""One repetition: a peer on an empty store, warmed up, then pushed to its limit, then served at leisure."""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import quantiles

from bench.load import Posted, closed_loop, open_loop
from bench.orders import batch_name, orders
from bench.peers.peer import Peer
from bench.procs import PeakMemory, Usage, usage
from bench.progress import Say

# Asking for the count costs the peer something; the speed does not hang on it, since ends carry their times.
_POLL_S = 1.0
_PAUSE_S = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is posted in each phase."""

    connections: int = 32
    warm_up_s: float = 15.0
    """At full load, not measured: JIT compilers and caches are warm in a service that runs. The
    compiler of Kafka's JVM takes a third of a core for the first ten seconds."""
    warm_up_orders: int = 20_000
    """At most, as below: an engine that accepts faster than it works would take minutes for the rest."""
    full_load_s: float = 12.0
    full_load_orders: int = 30_000
    calm_per_s: float = 20.0
    calm_orders: int = 300
    drain_timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Repetition:
    """The figures of one repetition, under the names they have in `results/latest.json`."""

    runs_per_s: float
    """Runs that ended in the full-load phase, by the time from its first post to their last recorded end."""
    cpu_ms_per_run: float
    """All server processes, from the first post until the last end was seen, by those runs."""
    ack_p50_ms: float
    """At 20 requests/s, as the two below."""
    safe_p50_ms: float
    """From sending the order until the end of its run was safe in the engine's own log: in Kafka, where a
    peer's is where its recorded end is."""
    safe_p99_ms: float
    e2e_p50_ms: float
    """From sending the order to the recorded end of its run."""
    e2e_p99_ms: float
    peak_pss_mb: float
    """Highest proportional set size of all server processes together, over all phases."""
    accepted_per_s: float
    """At full load, as the two below."""
    ack_p50_loaded_ms: float
    written_kb_per_run: float
    runs: int
    """How many ended in the full-load phase."""
    unfinished: int
    """Accepted in either phase, but not ended in time: anything but 0 spoils the other figures."""
    refusals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """What came of one batch of orders, once the wait for the ends of all that were accepted is over."""

    batch: str
    posted: Posted
    finished_at: dict[str, float]
    """Order id -> unix seconds at which the end of its run was recorded."""
    used: Usage
    """Of all server processes."""
    safe_at: Mapping[str, float] = field(default_factory=dict)
    """Order id -> unix seconds at which that end was safe in the engine's own log; only where looked at."""

    @property
    def unfinished(self) -> int:
        """Accepted, but not ended in time."""
        return len(self.posted.ack_ms.keys() - self.finished_at.keys())

    @property
    def runs_per_s(self) -> float:
        """Runs that ended, by the time from the first post to the last recorded end."""
        span_s = max(self.finished_at.values(), default=0.0) - self.posted.began_at
        return len(self.finished_at) / span_s if self.finished_at else 0.0

    def e2e_ms(self) -> list[float]:
        """From sending an order to the recorded end of its run."""
        return self._after_sending(self.finished_at)

    def safe_ms(self) -> list[float]:
        """From sending an order to the end of its run in the engine's own log."""
        return self._after_sending(self.safe_at)

    def _after_sending(self, times: Mapping[str, float]) -> list[float]:
        sent_at = self.posted.sent_at
        return [(at - sent_at[order]) * 1000 for order, at in times.items() if order in sent_at]


async def repeat_once(peer: Peer, data: Path, plan: Plan, say: Say) -> Repetition:
    """Measures one peer on `data`, which is emptied first. Leaves no process behind, also when cancelled."""
    async with started(peer, data, say), PeakMemory(lambda: peer.roots) as memory:
        full = await at_full_load(peer, plan, say)
        await asyncio.sleep(_PAUSE_S)
        calm = await at_rate(peer, plan, plan.calm_per_s, plan.calm_orders, say)
    return _figures(full, calm, memory.mb)


@asynccontextmanager
async def started(peer: Peer, data: Path, say: Say) -> AsyncIterator[None]:
    """The peer serves, on `data`, which is emptied first. Raises `StartFailed`.

    Leaves no process behind, also when cancelled.
    """
    await asyncio.to_thread(_empty, data)
    try:
        say("starting")
        await peer.start(data)
        yield
    finally:
        await peer.stop()


def _empty(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)


async def at_full_load(peer: Peer, plan: Plan, say: Say) -> Phase:
    """As fast as orders are answered, after a warm-up in which it is the same."""
    await _pushed(peer, plan, plan.warm_up_s, plan.warm_up_orders, partial(_prefixed, say, "warming up"))
    return await _pushed(
        peer, plan, plan.full_load_s, plan.full_load_orders, partial(_prefixed, say, "full load")
    )


async def at_rate(peer: Peer, plan: Plan, per_s: float, count: int, say: Say) -> Phase:
    """So many orders, evenly, whether or not the last one has been answered."""
    telling = partial(_prefixed, say, f"{per_s:.4g} requests/s")
    with peer.watched() as safe_at:
        batch, before, base = batch_name(peer.name), usage(peer.roots), await peer.finished()
        posted = await open_loop(peer.endpoint, orders(batch), per_s=per_s, count=count, on_progress=telling)
        phase = await _drained(peer, batch, posted, (before, base), plan, telling)
    return replace(phase, safe_at=safe_at or phase.finished_at)


async def _pushed(peer: Peer, plan: Plan, seconds: float, most: int, say: Say) -> Phase:
    batch, before, base = batch_name(peer.name), usage(peer.roots), await peer.finished()
    source = islice(orders(batch), most)
    posted = await closed_loop(
        peer.endpoint, source, connections=plan.connections, seconds=seconds, on_progress=say
    )
    return await _drained(peer, batch, posted, (before, base), plan, say)


async def _drained(
    peer: Peer, batch: str, posted: Posted, before: tuple[Usage, int], plan: Plan, say: Say
) -> Phase:
    """Waits, for a bounded time, until everything accepted has ended."""
    deadline = time.monotonic() + plan.drain_timeout_s
    used_before, base = before
    while (done := await peer.finished() - base) < len(posted.ack_ms) and time.monotonic() < deadline:
        say(f"{done:,} of {len(posted.ack_ms):,} finished")
        await asyncio.sleep(_POLL_S)
    used = usage(peer.roots) - used_before
    return Phase(batch, posted, await peer.finish_times(batch), used)


def _figures(full: Phase, calm: Phase, peak_pss_mb: float) -> Repetition:
    runs = len(full.finished_at)
    posting_s = max(full.posted.sent_at.values(), default=0.0) - full.posted.began_at
    safe_ms, e2e_ms = calm.safe_ms(), calm.e2e_ms()
    return Repetition(
        runs_per_s=full.runs_per_s,
        cpu_ms_per_run=full.used.cpu_s * 1000 / max(runs, 1),
        ack_p50_ms=percentile(list(calm.posted.ack_ms.values()), 50),
        safe_p50_ms=percentile(safe_ms, 50),
        safe_p99_ms=percentile(safe_ms, 99),
        e2e_p50_ms=percentile(e2e_ms, 50),
        e2e_p99_ms=percentile(e2e_ms, 99),
        peak_pss_mb=peak_pss_mb,
        accepted_per_s=len(full.posted.ack_ms) / posting_s if posting_s > 0 else 0.0,
        ack_p50_loaded_ms=percentile(list(full.posted.ack_ms.values()), 50),
        written_kb_per_run=full.used.written_bytes / 1024 / max(runs, 1),
        runs=runs,
        unfinished=full.unfinished + calm.unfinished,
        refusals=dict(Counter(full.posted.refusals) + calm.posted.refusals),
    )


def percentile(values: list[float], percent: int) -> float:
    """Interpolated between the two nearest values; NaN of fewer than two."""
    if len(values) < 2:
        return float("nan")
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def _prefixed(say: Say, prefix: str, line: str) -> None:
    say(f"{prefix}: {line}")
