"""A worker with as many runs that wait as wanted, and how it starts with them."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.deployment import Job
from bench.fleet import Fleet
from bench.patience import until
from bench.procs import pss_mb, usage
from bench.progress import Say
from bench.timers.paused import Original, find_original, write_copies
from bench.timers.workflow import post, waiting_until

EMPTY, STOPPED, KILLED = "from the changelog", "from its store", "from its store, killed before"

_DAY_S = 86_400
_FAR_S = 30 * _DAY_S
"""The first of the many is due so much later: none of them while the bench runs."""
_START_TIMEOUT_S = 900.0
"""A million rows are read from the broker, once."""


@dataclass(frozen=True, slots=True)
class Start:
    """Of the worker, with all runs in its table."""

    seconds: float
    """Until it worked."""
    recovery_s: float
    """Of these, from when it was given its partitions."""
    cpu_s: float
    """That it took of the processor for it."""
    worker_mb: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s, of which {self.recovery_s:.1f} s for its tables, "
            f"at {self.cpu_s:.1f} s of CPU; {self.worker_mb:,.0f} MB"
        )


async def fill(fleet: Fleet, waits: Job, runs: int, say: Say) -> None:
    """So many runs that wait, in the changelog of the worker, which is stopped. Raises `TimeoutError`."""
    original, (worker,) = await _original(fleet, waits), fleet.workers
    await worker.stop()
    due = (original.due_s + 1 + number % (300 * _DAY_S) for number in range(runs))
    await write_copies(fleet.kafka, original, due, say)


async def each_way(fleet: Fleet, say: Say) -> Mapping[str, Start]:
    """The worker starts without its store, after a stop, and after a `kill -9`; it runs afterwards.

    Raises `StartFailed`.
    """
    (worker,) = fleet.workers
    starts = {}

    async def forget() -> None:
        await worker.stop()
        await asyncio.to_thread(shutil.rmtree, fleet.home / "workers" / worker.name)

    for name, end in ((EMPTY, forget), (STOPPED, worker.stop), (KILLED, worker.kill)):
        await end()
        starts[name] = await _start(fleet)
        say(f"{name}: {starts[name]}")
    return starts


async def _start(fleet: Fleet) -> Start:
    (worker,) = fleet.workers
    began = time.monotonic()
    program = await worker.start()
    await program.wait_until(worker.is_assigned, _START_TIMEOUT_S)
    took, used = time.monotonic() - began, usage([worker.pid])
    recovery_s = await worker.metric("hopline_recovery_seconds")
    return Start(took, recovery_s, used.cpu_s, await asyncio.to_thread(pss_mb, [worker.pid]))


async def _original(fleet: Fleet, waits: Job) -> Original:
    """One run that waits, by a real event."""
    due_s = int(time.time()) + _FAR_S
    await post(waits, waiting_until(iter([due_s])))
    found: list[Original] = []

    async def is_kept() -> bool:
        original = await asyncio.to_thread(find_original, fleet.kafka, due_s)
        found.extend([original] if original else [])
        return bool(found)

    await until(is_kept)
    return found[0]
