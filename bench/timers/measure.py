"""One system through all phases: without runs that wait, with all of them, restarted, when some are due."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from bench.deployment import Deployment, Job
from bench.fleet import Fleet
from bench.load import closed_loop
from bench.orders import batch_name, orders
from bench.patience import POLL_S, until
from bench.procs import pss_mb, usage
from bench.progress import Say
from bench.timers.ends import Ends, Lateness
from bench.timers.figures import Cost, Figures, Plan
from bench.timers.starts import each_way, fill
from bench.timers.workflow import CONNECTIONS, install, post, waiting_until

_HEAD_START_S = 20
"""Between the first order of a phase and the moment at which the first of its runs is due."""
_IDLE_FOR_S = 3.0
_IDLE_SHARE = 0.1


async def measure(plan: Plan, home: Path, say: Say) -> Figures:
    """Empties `home`. Raises `StartFailed`, `CommandFailed`, `TimeoutError`."""
    figures = Figures()
    async with Fleet(home, workers=1) as fleet:
        job, waits = await fleet.deployment.install_job(), await install(fleet.deployment)
        await _job(fleet, job, plan.job_s / 2)
        figures.without = await _job(fleet, job, plan.job_s)
        say(f"nothing waits: {figures.without}")
        await fill(fleet, waits, plan.runs, say)
        figures.starts = await each_way(fleet, say)
        await _settled(fleet)
        await _job(fleet, job, plan.job_s / 2)
        figures.loaded = await _job(fleet, job, plan.job_s)
        say(f"{plan.runs:,} runs wait: {figures.loaded}")
        for name, phase in (("burst", _burst), ("even", _even), ("killed", _killed)):
            figures.late[name] = await _due(fleet, waits, plan, phase, say)
            say(f"{name}: {figures.late[name]}")
    return figures


async def _job(fleet: Fleet, job: Job, seconds: float) -> Cost:
    worker = fleet.workers[0].pid
    roots = [worker, fleet.front.pid, fleet.broker_pid]
    before, worker_before, base = usage(roots), usage([worker]), await _ended(fleet.deployment, job)
    began = time.monotonic()
    posted = await closed_loop(
        job.endpoint, orders(batch_name("job")), connections=CONNECTIONS, seconds=seconds,
        on_progress=lambda _: None,
    )  # fmt: skip
    accepted = len(posted.ack_ms)

    async def all_ended() -> bool:
        return await _ended(fleet.deployment, job) - base >= accepted

    await until(all_ended)
    took = time.monotonic() - began
    used, of_worker = usage(roots) - before, usage([worker]) - worker_before
    memory = await asyncio.to_thread(pss_mb, [worker])
    per_run = 1000 / max(accepted, 1)
    return Cost(accepted / took, used.cpu_s * per_run, of_worker.cpu_s * per_run, memory)


async def _settled(fleet: Fleet) -> None:
    """Until the worker is idle: RocksDB still sorts what was written, which is no cost of the job."""
    worker = fleet.workers[0].pid

    async def is_idle() -> bool:
        before = usage([worker])
        await asyncio.sleep(_IDLE_FOR_S)
        return (usage([worker]) - before).cpu_s < _IDLE_SHARE * _IDLE_FOR_S

    with suppress(TimeoutError):
        await until(is_idle)


async def _ended(deployment: Deployment, job: Job) -> int:
    where = f"status = 'SUCCEEDED' AND workflow_id = '{job.workflow_id}'"
    rows = await deployment.select(f"SELECT count() AS runs FROM workflow_runs WHERE {where}")
    return int(rows[0]["runs"])


Phase = Callable[[Plan, int], Iterator[int]]


def _burst(plan: Plan, begin_s: int) -> Iterator[int]:
    return itertools.repeat(begin_s, plan.burst)


def _even(plan: Plan, begin_s: int) -> Iterator[int]:
    return (begin_s + second for second in range(plan.even_s) for _ in range(plan.per_s))


def _killed(plan: Plan, begin_s: int) -> Iterator[int]:
    return _even(plan, begin_s)


async def _due(fleet: Fleet, waits: Job, plan: Plan, phase: Phase, say: Say) -> Lateness:
    """Runs begin by real events, and are watched while their time comes."""
    ends = await asyncio.to_thread(Ends, fleet.kafka, waits.workflow_id)
    try:
        begin_s = int(time.time()) + _HEAD_START_S
        order_ids = await post(waits, waiting_until(phase(plan, begin_s)))
        if time.time() > begin_s:
            say(f"posting took {time.time() - begin_s:.1f} s too long: the first are late because of that")
        if phase is _killed:
            await asyncio.sleep(max(0.0, begin_s + plan.even_s / 3 - time.time()))
            await fleet.workers[0].kill()
            began = time.monotonic()
            await fleet.start_worker(fleet.workers[0])
            say(f"killed; started in {time.monotonic() - began:.1f} s")

        async def all_over() -> bool:
            return len(ends) >= len(order_ids)

        with suppress(TimeoutError):  # What is missing is counted.
            await until(all_over)
        # Whatever is sent a second time is sent soon after.
        await asyncio.sleep(5 * POLL_S)
        return ends.lateness(order_ids)
    finally:
        await asyncio.to_thread(ends.close)
