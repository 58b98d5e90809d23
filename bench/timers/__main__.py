"""`python -m bench.timers --runs 1000000`: a million runs that wait, and what that does to all else.

One broker, one worker with its tables on RocksDB, ingress and sink. The job of four nodes is measured while
nothing waits and while all of them do; the worker is started from the changelog and from its store; runs that
are due at once, evenly, and evenly with a `kill -9` of the worker are watched until the last has gone on.
Exit code 0 only if each of these did so once, and none too early.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.timers.figures import Figures, Plan
from bench.timers.measure import measure


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.timers", description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="that wait")
    parser.add_argument("--job-seconds", type=float, default=10, help="of the job at full load, each time")
    parser.add_argument("--burst", type=int, default=1_000, help="runs due at the same moment")
    parser.add_argument("--per-second", type=int, default=100, help="runs due evenly, in each second")
    parser.add_argument("--even-seconds", type=int, default=30, help="how long they are")
    given = parser.parse_args()
    plan = Plan(given.runs, given.job_seconds, given.burst, given.per_second, given.even_seconds)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hopline-timers-") as home:
        try:
            figures = run(
                measure(
                    plan,
                    Path(home),
                    lambda line: print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True),
                )
            )
        except Interrupted:
            return EXIT_CODE
    _show(plan, figures)
    return 0 if figures.clean else 1


def _show(plan: Plan, figures: Figures) -> None:
    assert figures.without is not None
    assert figures.loaded is not None
    print(f"\nnothing waits:        {figures.without}")
    print(f"{plan.runs:,} runs wait: {figures.loaded}")
    ratio = figures.loaded.worker_cpu_ms / figures.without.worker_cpu_ms
    print(f"CPU of the worker per run of the job: {ratio:.2f} times")
    for name, start in figures.starts.items():
        print(f"start {name}: {start}")
    for name, lateness in figures.late.items():
        print(f"{name}: {lateness}")


if __name__ == "__main__":
    sys.exit(main())
