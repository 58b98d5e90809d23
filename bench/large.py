"""`python -m bench.large`: how long large runs take on a system that runs, and what that is for each task.

Every task is a code node that gives a kilobyte: a hop through Kafka, a process of the sandbox, and back. A
chain has them one after the other; an iteration has one, and as many rounds, ten of them side by side.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from bench.fleet import Fleet
from bench.states import chain, rounds, task
from cli.client import Client
from cli.wait import wait_for_run

_STEPS = 3000
_TIMEOUT_S = 120
_CODE = "def main(x):\n    return {'result': 'x' * 1000}"


def main() -> int:
    """Prints a line for each size of each graph."""
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_measure(Path(home) / "fleet"))
    return 0


async def _measure(home: Path) -> None:
    env = {"HOPLINE_RUN_MAX_STEPS": str(_STEPS)}
    async with Fleet(home, workers=1, env=env) as fleet:
        client = fleet.deployment.client
        print(f"{'graph':<28} {'tasks':>6} {'seconds':>8} {'ms/task':>8}")
        for name, (graph_of, sizes) in _GRAPHS.items():
            for tasks in sizes:
                seconds = await asyncio.to_thread(_run, client, graph_of(tasks), tasks)
                print(f"{name:<28} {tasks:>6} {seconds:>8.2f} {seconds * 1000 / tasks:>8.2f}", flush=True)


def _run(client: Client, graph: dict[str, Any], tasks: int) -> float:
    """Seconds from the start of the second run to its end; the first one warms up."""
    imported = client.upload("workflows", "import", content=orjson.dumps(graph), app="large", publish="true")
    workflow_id = imported["workflow_id"]
    body = {"inputs": {"items": {"list": list(range(tasks))}}}
    for _ in range(2):
        started = client.post("triggers", "workflows", workflow_id, "manual", body=body)
        time.sleep(0.2)
        ended = wait_for_run(client, started["workflow_run_id"], _TIMEOUT_S)
        assert ended["status"] == "SUCCEEDED", ended["error"]
        assert ended["total_steps"] >= tasks
    return float(ended["elapsed_time"])


def _iteration(_: int) -> dict[str, Any]:
    inside = task("c", ["it", "item"], _CODE)
    return rounds(inside, output=["c", "result"], is_parallel=True, parallel_nums=10)


_GRAPHS: dict[str, tuple[Callable[[int], dict[str, Any]], tuple[int, ...]]] = {
    "chain": (lambda tasks: chain(tasks, _CODE), (10, 100, 500)),
    "iteration, 10 side by side": (_iteration, (10, 100, 1000)),
}
"""Graphs by the number of their tasks, and the numbers."""

if __name__ == "__main__":
    sys.exit(main())
