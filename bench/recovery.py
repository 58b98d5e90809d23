"""`python -m bench.recovery --runs 1000,10000`: how long a worker takes to start, by what is in its tables.

A broker, ingress and sink, and one worker with its tables on RocksDB, for each number of live runs anew.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from bench import report
from bench.fleet import Fleet
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.program import StartFailed
from bench.progress import say
from bench.timers.starts import EMPTY, KILLED, STOPPED, Start, each_way, fill
from bench.timers.workflow import install
from cli.errors import CommandFailed

RESULTS = Path(__file__).parent / "results" / "recovery.json"
SIZES = (1_000, 10_000, 100_000, 1_000_000)

Measured = Mapping[int, Mapping[str, Start]]
"""By the number of live runs, and by how the worker was started."""


def table(measured: Measured) -> str:
    """Markdown: seconds until it works, then those of its tables and the CPU of the process."""
    heads = ["live runs", "after a stop", "after `kill -9`", "with an empty store", "PSS MB"]
    rows = [
        [f"{runs:,}", *(_cell(starts[name]) for name in (STOPPED, KILLED, EMPTY)), _mb(starts[STOPPED])]
        for runs, starts in measured.items()
    ]
    return report.markdown(heads, rows)


def main() -> int:
    """0, 1 if Hopline failed, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--runs", type=_sizes, default=SIZES, help="live ones, comma-separated")
    sizes = parser.parse_args().runs
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-recovery-") as home:
            measured = run(_measure(sizes, Path(home) / "data"))
    except Interrupted:
        return EXIT_CODE
    except (StartFailed, CommandFailed, TimeoutError, OSError) as failure:
        say("hopline", f"failed: {failure}")
        return 1
    _save(measured)
    print(table(measured))
    return 0


async def _measure(sizes: Sequence[int], data: Path) -> Measured:
    measured = {}
    for runs in sizes:
        tell = partial(say, f"{runs:,} runs")
        async with Fleet(data, workers=1) as fleet:
            await fill(fleet, await install(fleet.deployment), runs, tell)
            measured[runs] = await each_way(fleet, tell)
    return measured


def _save(measured: Measured) -> None:
    found = [
        {"runs": runs, "start": name, **asdict(start)}
        for runs, starts in measured.items()
        for name, start in starts.items()
    ]
    report.save(RESULTS, {"measured": found, "machine": report.machine()})


def _sizes(text: str) -> Sequence[int]:
    return [int(size.replace("_", "")) for size in text.split(",")]


def _cell(start: Start) -> str:
    return f"{start.seconds:.1f} s ({start.recovery_s:.1f}; {start.cpu_s:.1f})"


def _mb(start: Start) -> str:
    return f"{start.worker_mb:,.0f}"


if __name__ == "__main__":
    sys.exit(main())
