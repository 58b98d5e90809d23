"""`python -m bench.endurance --seconds 3600 --rate 300`: a million runs at a steady rate, watched.

`hopline up` with its defaults takes the job open loop. Nothing is killed: see `bench.soak` for that. Exit
code 0 only if each accepted order was recorded exactly once.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench import plot, report
from bench.endurance.figures import curves, table
from bench.endurance.measure import Endured, endure
from bench.endurance.posting import Window
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.program import StartFailed
from bench.progress import say
from cli.errors import CommandFailed
from transport.errors import TransportError

RESULTS = Path(__file__).parents[1] / "results" / "endurance.json"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.endurance", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of posting")
    parser.add_argument("--rate", type=float, default=300.0, help="orders in a second")
    parser.add_argument("--each", type=float, default=30.0, help="seconds between two looks at it")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-endurance-") as home:
            tell = partial(say, "hopline")
            endured = run(
                endure(
                    Path(home) / "data", per_s=given.rate, seconds=given.seconds, each_s=given.each, say=tell
                )
            )
    except Interrupted:
        return EXIT_CODE
    except (StartFailed, CommandFailed, TransportError, OSError) as failure:
        say("hopline", f"failed: {failure}")
        return 1
    _show(given.rate, given.each, endured)
    for fault in endured.faults:
        say("hopline", fault)
    return 1 if endured.faults else 0


def _show(per_s: float, each_s: float, endured: Endured) -> None:
    runs = sum(there.runs for there in endured.recorded)
    _save(per_s, each_s, endured)
    plot.save(
        "endurance", f"{runs:,} runs at {per_s:g} orders a second, over minutes", curves(endured, each_s)
    )
    print(f"{runs:,} runs, {len(endured.faults)} faults\n\n{table(endured, each_s)}")


def _save(per_s: float, each_s: float, endured: Endured) -> None:
    report.save(
        RESULTS,
        {
            "asked_per_s": per_s,
            "each_s": each_s,
            "states": [asdict(state) for state in endured.states],
            "windows": [_figures(window) for window in endured.windows],
            "recorded": [asdict(there) for there in endured.recorded],
            "faults": endured.faults,
            "machine": report.machine(),
        },
    )


def _figures(window: Window) -> Mapping[str, Any]:
    """Without what names single orders: it has been counted."""
    return {name: value for name, value in asdict(window).items() if name not in {"sent_at", "unanswered"}}


if __name__ == "__main__":
    sys.exit(main())
