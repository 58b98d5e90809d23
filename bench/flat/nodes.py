"""`python -m bench.flat.nodes`: what a node costs in workflows of 4, 40 and 400 of them, in a whole system.

An event by a webhook, then start, if-else, as many templates as it takes and an end, all in the hop in which
the run begins; then as many records of nodes as that is. The sizes are measured in turn.
"""

import argparse
import asyncio
import itertools
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from bench import report
from bench.connection import Endpoint
from bench.deployment import ID_HEADER, Deployment
from bench.engine import graph
from bench.flat.cost import PARTS, Cost, cost_of, middle
from bench.fleet import Fleet
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.orders import Order, batch_name, orders
from bench.progress import say

RESULTS = Path(__file__).parents[1] / "results" / "flat-nodes.json"
SIZES = (4, 40, 400)


def main() -> int:
    """Prints the table. The exit code: 0, as any order that is refused or lost ends it by an exception."""
    parser = argparse.ArgumentParser(prog="python -m bench.flat.nodes", description=__doc__)
    parser.add_argument("--nodes", type=int, default=40_000, help="that run, each time, of each size")
    parser.add_argument("--turns", type=int, default=3, help="how often each size is measured")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-nodes-") as home:
            measured = run(_measure(Path(home) / "fleet", given.nodes, given.turns))
    except Interrupted:
        return EXIT_CODE
    found = {str(size): [asdict(cost) for cost in costs] for size, costs in measured.items()}
    report.save(RESULTS, {"measured": found, "machine": report.machine()})
    print(table(measured))
    return 0


async def _measure(home: Path, nodes: int, turns: int) -> Mapping[int, Sequence[Cost]]:
    costs: dict[int, list[Cost]] = {size: [] for size in SIZES}
    async with Fleet(home, workers=1) as fleet:
        endpoints = {size: await asyncio.to_thread(_install, fleet.deployment, size) for size in SIZES}
        for turn in range(-1, turns):
            for size, endpoint in endpoints.items():
                given = itertools.islice(_large(batch_name("nodes")), nodes // size)
                cost = await cost_of(fleet, endpoint, given)
                if turn >= 0:  # The one before warms up compilers and caches.
                    costs[size].append(cost)
                    say(f"{size} nodes", f"{cost.total_ms * 1000 / size:.0f} us CPU each")
    return costs


def _install(deployment: Deployment, nodes: int) -> Endpoint:
    client = deployment.client
    imported = client.upload(
        "workflows", "import", content=orjson.dumps(graph(nodes)), app=f"{nodes} nodes", publish="true"
    )
    config = {"inputs": {"customer": "body.customer.name"}}
    trigger = {"type": "WEBHOOK", "workflow_id": imported["workflow_id"], "config": config}
    return Endpoint(client.post("triggers", body=trigger)["url"], ID_HEADER)


def _large(batch: str) -> Iterator[Order]:
    """Orders that go the way of the many nodes."""
    return (one for one in orders(batch) if orjson.loads(one.body)["amount"] > 100)


def table(measured: Mapping[int, Sequence[Cost]]) -> str:
    """Markdown: microseconds of CPU by node."""
    heads = ["nodes", "runs", *(f"CPU µs/node: {part}" for part in PARTS), "all", "CPU ms/run", "runs/s"]
    rows = []
    for size, costs in measured.items():
        cost = middle(costs)
        parts = [f"{cost.cpu_ms[part] * 1000 / size:.0f}" for part in PARTS]
        total, whole = f"{cost.total_ms * 1000 / size:.0f}", f"{cost.total_ms:.2f}"
        rows.append([str(size), f"{cost.runs:,}", *parts, total, whole, f"{cost.runs_per_s:,.0f}"])
    return report.markdown(heads, rows)


if __name__ == "__main__":
    sys.exit(main())
