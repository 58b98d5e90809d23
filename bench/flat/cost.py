"""What runs cost a fleet, process by process."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.connection import Target
from bench.deployment import Deployment
from bench.fleet import Fleet
from bench.load import closed_loop
from bench.orders import Order
from bench.patience import until
from bench.procs import pss_mb, usage

CONNECTIONS = 32
PARTS = ("broker", "ingress and sink", "worker")
_PATIENCE_S = 300.0
_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of some runs that were posted as fast as they were answered."""

    runs: int
    runs_per_s: float
    """By the time from the first post until all ends could be queried, give or take a second."""
    cpu_ms: Mapping[str, float]
    """Of one run, by part."""

    @property
    def total_ms(self) -> float:
        """Of one run, in all processes."""
        return sum(self.cpu_ms.values())


def roots(fleet: Fleet) -> Mapping[str, int]:
    """The pids of the parts."""
    return dict(zip(PARTS, (fleet.broker_pid, fleet.front.pid, fleet.workers[0].pid), strict=True))


async def memory(roots: Mapping[str, int]) -> Mapping[str, float]:
    """PSS in MiB, by part."""
    return {part: await asyncio.to_thread(pss_mb, [pid]) for part, pid in roots.items()}


def cpu_s(roots: Mapping[str, int]) -> Mapping[str, float]:
    """CPU time so far, by part."""
    return {part: usage([pid]).cpu_s for part, pid in roots.items()}


async def cost_of(fleet: Fleet, target: Target, orders: Iterable[Order]) -> Cost:
    """Posts all of them, and waits until all their runs have ended. Raises `TimeoutError`."""
    base, before, began = await _ended(fleet.deployment), cpu_s(roots(fleet)), time.monotonic()
    posted = await closed_loop(
        target, iter(orders), connections=CONNECTIONS, seconds=_PATIENCE_S, on_progress=lambda _: None
    )
    assert not posted.refusals, posted.refusals
    runs = len(posted.ack_ms)

    async def all_ended() -> bool:
        return await _ended(fleet.deployment) - base >= runs

    await until(all_ended, patience_s=_PATIENCE_S, poll_s=_POLL_S)
    took, after = time.monotonic() - began, cpu_s(roots(fleet))
    return Cost(runs, runs / took, {part: (after[part] - before[part]) * 1000 / runs for part in PARTS})


def middle(costs: Sequence[Cost]) -> Cost:
    """The one whose total is the median, so that its parts add up; of two, the lower."""
    ordered = sorted(costs, key=lambda one: one.total_ms)
    return ordered[(len(ordered) - 1) // 2]


def ratio(costs: Sequence[Cost], others: Sequence[Cost]) -> float:
    """How many times what the others cost, measured in turn with them: the median over the turns."""
    return median(one.total_ms / other.total_ms for one, other in zip(costs, others, strict=True))


async def _ended(deployment: Deployment) -> int:
    rows = await deployment.select("SELECT count() AS runs FROM workflow_runs WHERE status = 'SUCCEEDED'")
    return int(rows[0]["runs"])
