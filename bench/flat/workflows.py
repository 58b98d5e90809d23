"""`python -m bench.flat.workflows`: the job with 1, 1,000 and 100,000 workflows, each with its own webhook.

One system grows: at each size some are deployed through the API and the rest is written as the API would do
it, ingress and worker are restarted, and the job is run in turn on one workflow alone, on all of them evenly,
and with four of five orders for one hundredth of them. What else the machine does falls on all three alike.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice, repeat
from pathlib import Path

from bench import report
from bench.flat.cost import PARTS, Cost, cost_of, cpu_s, memory, middle, ratio, roots
from bench.flat.doors import Doors, evenly, skewed
from bench.flat.filling import Filling
from bench.fleet import Fleet, Member, answers
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.orders import batch_name, orders
from bench.progress import say

RESULTS = Path(__file__).parents[1] / "results" / "flat-workflows.json"
SIZES = (1, 1_000, 100_000)
ONE, EVEN, SKEWED = "one alone", "all evenly", "80 % to 1 %"
_, INGRESS, WORKER = PARTS
STARTED = (INGRESS, WORKER)
_DEPLOYED = 500
"""Through the API, at each size."""
_START_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Filled:
    """What deploying workflows through the API took, each with its webhook."""

    count: int
    per_s: float
    cpu_ms: Mapping[str, float]
    """Of one workflow, by part."""


@dataclass(frozen=True, slots=True)
class Start:
    """Of a process: how long until it served, its CPU time until then, and its memory at that moment."""

    seconds: float
    cpu_s: float
    pss_mb: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one size."""

    workflows: int
    filled: Filled
    starts: Mapping[str, Start]
    """By part: the ingress and the worker."""
    costs: Mapping[str, Sequence[Cost]]
    """By how the orders are spread; those of the same place were measured in turn."""
    pss_mb: Mapping[str, float]
    """By part, afterwards."""


def main() -> int:
    """Prints the tables. The exit code: 0, as any order that is refused or lost ends it by an exception."""
    parser = argparse.ArgumentParser(prog="python -m bench.flat.workflows", description=__doc__)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="growing, comma-separated")
    parser.add_argument("--orders", type=int, default=10_000, help="posted each time")
    parser.add_argument("--turns", type=int, default=3, help="how often each way is measured at each size")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-flat-") as home:
            measured = run(_measure(Path(home) / "fleet", sizes, given.orders, given.turns))
    except Interrupted:
        return EXIT_CODE
    document = {"measured": [asdict(one) for one in measured], "machine": report.machine()}
    report.save(RESULTS, document)
    print(cost_table(measured), definition_table(measured), sep="\n\n")
    return 0


async def _measure(home: Path, sizes: Sequence[int], count: int, turns: int) -> Sequence[Figures]:
    measured = []
    async with Fleet(home, workers=1) as fleet:
        filling = Filling(fleet.deployment, fleet.api_key, fleet.kafka)
        for size in sizes:
            filled = await _fill(fleet, filling, size)
            say(f"{size:,}", f"deployed, {filled.per_s:,.0f}/s")
            starts = await _restart(fleet)
            say(f"{size:,}", f"started: {starts}")
            costs = await _costs(fleet, filling, count, turns)
            measured.append(Figures(size, filled, starts, costs, await memory(roots(fleet))))
    return measured


async def _fill(fleet: Fleet, filling: Filling, size: int) -> Filled:
    missing = size - len(filling.endpoints)
    count, before, began = min(missing, _DEPLOYED), cpu_s(roots(fleet)), time.monotonic()
    await filling.deploy(count)
    took, after = time.monotonic() - began, cpu_s(roots(fleet))
    await filling.write(missing - count)
    cpu_ms = {part: (after[part] - before[part]) * 1000 / count for part in PARTS}
    return Filled(count, count / took, cpu_ms)


async def _restart(fleet: Fleet) -> Mapping[str, Start]:
    """Both are stopped first, so that the start of neither is held up by what the other one does."""
    (worker,), front = fleet.workers, fleet.front
    await worker.stop()
    await front.stop()
    health = f"{fleet.deployment.url}/health"
    return {
        INGRESS: await _start(front, lambda: answers(health)),
        WORKER: await _start(worker, worker.is_assigned),
    }


async def _start(member: Member, ready: Callable[[], Awaitable[bool]]) -> Start:
    began = time.monotonic()
    program = await member.start()
    await program.wait_until(ready, _START_TIMEOUT_S)
    took, one = time.monotonic() - began, {member.name: program.pid}
    return Start(took, cpu_s(one)[member.name], (await memory(one))[member.name])


async def _costs(fleet: Fleet, filling: Filling, count: int, turns: int) -> Mapping[str, Sequence[Cost]]:
    endpoints = filling.endpoints
    ways: dict[str, Iterator[int]] = {ONE: repeat(0)}
    if len(endpoints) > 1:
        ways |= {EVEN: evenly(len(endpoints)), SKEWED: skewed(len(endpoints))}
    targets = {way: Doors(endpoints, which) for way, which in ways.items()}
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for target in targets.values():  # Compilers and caches are warm afterwards.
        await cost_of(fleet, target, islice(orders(batch_name("warm")), count))
    for _ in range(turns):
        for way, target in targets.items():
            cost = await cost_of(fleet, target, islice(orders(batch_name("flat")), count))
            costs[way].append(cost)
            say(f"{len(endpoints):,}", f"{way}: {cost.total_ms:.3f} ms, {cost.runs_per_s:,.0f} runs/s")
    return costs


def cost_table(measured: Sequence[Figures]) -> str:
    """Markdown: CPU of a run, and memory after them."""
    heads = [
        "workflows",
        "orders",
        *(f"CPU ms/run: {part}" for part in PARTS),
        "all",
        "by one alone",
        "runs/s",
    ]
    rows = []
    for one in measured:
        for way, costs in one.costs.items():
            cost = middle(costs)
            parts = [f"{cost.cpu_ms[part]:.3f}" for part in PARTS]
            times = f"{ratio(costs, one.costs[ONE]):.2f}"
            rows.append(
                [f"{one.workflows:,}", way, *parts, f"{cost.total_ms:.3f}", times, f"{cost.runs_per_s:,.0f}"]
            )
    return report.markdown(heads, rows)


def definition_table(measured: Sequence[Figures]) -> str:
    """Markdown: what it takes to deploy so many, to start with them, and to hold them."""
    heads = ["workflows", "deployed/s", "CPU ms each: ingress", "worker"]
    heads += [
        f"{part}: {what}" for part in STARTED for what in ("start s", "CPU s", "PSS MB", "after the runs")
    ]
    rows = []
    for one in measured:
        filled = [f"{one.filled.per_s:,.0f}", *(f"{one.filled.cpu_ms[part]:.2f}" for part in STARTED)]
        cells = [f"{one.workflows:,}", *filled]
        for part in STARTED:
            start = one.starts[part]
            figures = (start.seconds, start.cpu_s, start.pss_mb, one.pss_mb[part])
            cells += [f"{figure:,.1f}" if figure < 100 else f"{figure:,.0f}" for figure in figures]
        rows.append(cells)
    return report.markdown(heads, rows)


if __name__ == "__main__":
    sys.exit(main())
