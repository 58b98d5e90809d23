"""`python -m bench.cpu --check`: the CPU of a run's hot path against the figure that was landed last."""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable, Sequence

import uvloop

from bench.cpu.landed import FILE, MOST, Landed, OtherCalibration, calibration_digest
from bench.cpu.slices import Figures, measure

_TRIES = 3
"""A regression is there each time. What has been somebody else's doing is gone by then."""


def main() -> int:
    """0, or 1 where the landed figure is exceeded or of another calibration."""
    arguments = _parser().parse_args()
    _without_settings()
    if arguments.update:
        return _update()
    try:
        landed = Landed.read()
    except OtherCalibration as other:
        print(f"cpu: {other}", file=sys.stderr)
        return 1
    exceeded = compared(landed, _measured, tries=_TRIES if arguments.check else 1)
    if exceeded is None:
        return 0
    print(f"cpu: {exceeded}; see bench/README.md", file=sys.stderr)
    return 1 if arguments.check else 0


def compared(landed: Landed, measured: Callable[[], Figures], tries: int) -> str | None:
    """What is dearer than it may be in each of so many measurements, as the last one says; None once there is
    one in which nothing is. Prints them."""
    exceeded = None
    for _ in range(tries):
        found = measured()
        print(_table(found, landed), flush=True)
        exceeded = landed.exceeded(found.ratios)
        if exceeded is None:
            break
    return exceeded


def _measured() -> Figures:
    return uvloop.run(measure())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.cpu", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check", action="store_true", help=f"exit 1 for more than {MOST:g} times the landed figure"
    )
    what.add_argument("--update", action="store_true", help=f"land what is measured: writes {FILE.name}")
    return parser


def _without_settings() -> None:
    """How somebody's deployment is set here must change no figure."""
    for name in [name for name in os.environ if name.startswith(("HOPLINE_", "OTEL_"))]:
        del os.environ[name]


def _update() -> int:
    several = [_measured() for _ in range(_TRIES)]
    ratios = {
        name: statistics.median(figures.ratios[name] for figures in several) for name in several[0].ratios
    }
    Landed(ratios, platform.python_version(), calibration_digest()).write()
    print(_table(several[-1], Landed.read()))
    return 0


def _table(found: Figures, landed: Landed) -> str:
    rows: list[Sequence[str]] = [("", "µs/run", "ratio", "landed", "times")]
    for name, ratio in found.ratios.items():
        before = landed.ratios[name]
        us = found.microseconds[name]
        rows.append((name, f"{us:.1f}", f"{ratio:.3f}", f"{before:.3f}", f"{ratio / before:.2f}"))
    return "\n".join(f"{row[0]:<8}" + "".join(f"{cell:>9}" for cell in row[1:]) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
