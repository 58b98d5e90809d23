"""`python -m bench.scaling`: what 1, 2 and 4 workers do on this machine, also with every node a hop."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from bench import plot, report
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.measure import Plan, Repetition, repeat_once
from bench.peers.hopline import Hopline
from bench.plot import Bar, Panel
from bench.program import StartFailed
from bench.progress import say
from cli.errors import CommandFailed

RESULTS = Path(__file__).parent / "results" / "scaling.json"
WORKERS = (1, 2, 4)
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "every node a hop": {"HOPLINE_EVERY_NODE_A_HOP": "true"},
}

Measured = Mapping[tuple[str, int], Repetition]
"""By setting and number of workers."""


def table(measured: Measured) -> str:
    """Markdown."""
    heads = ["", "runs/s", "CPU ms/run", "end to end p50 ms", "p99 ms", "peak PSS MB"]
    return report.markdown(heads, [[_name(*key), *_cells(one)] for key, one in measured.items()])


def panels(measured: Measured) -> list[Panel]:
    """What is drawn of it: rate and cost at full load."""
    return [
        Panel("runs/s", [Bar(_name(*key), [one.runs_per_s]) for key, one in measured.items()]),
        Panel(
            "CPU ms per run, all processes",
            [Bar(_name(*key), [one.cpu_ms_per_run]) for key, one in measured.items()],
        ),
    ]


def main() -> int:
    """0 if everything that was accepted has ended, 1 if not or if Hopline failed, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=Plan().full_load_s, help="of posting at full load")
    plan = Plan(full_load_s=parser.parse_args().seconds)
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-scaling-") as home:
            measured = run(_measure(Path(home) / "data", plan))
    except Interrupted:
        return EXIT_CODE
    except (StartFailed, CommandFailed, OSError) as failure:
        say("hopline", f"failed: {failure}")
        return 1
    _show(measured, plan)
    return 1 if any(one.unfinished or one.refusals for one in measured.values()) else 0


async def _measure(data: Path, plan: Plan) -> Measured:
    measured = {}
    for setting, env in SETTINGS.items():
        for workers in WORKERS:
            tell = partial(say, _name(setting, workers))
            one = await repeat_once(Hopline(workers=workers, env=env), data, plan, tell)
            measured[setting, workers] = one
            tell(f"{one.runs_per_s:,.0f} runs/s, {one.cpu_ms_per_run:.2f} ms CPU per run")
    return measured


def _show(measured: Measured, plan: Plan) -> None:
    found = [
        {"setting": setting, "workers": workers, **asdict(one)}
        for (setting, workers), one in measured.items()
    ]
    document: dict[str, Any] = {"measured": found, "plan": asdict(plan), "machine": report.machine()}
    report.save(RESULTS, document)
    plot.save("workers", f"Workers, on a machine of {document['machine']['cores']} cores", panels(measured))
    print(table(measured))


def _cells(one: Repetition) -> Sequence[str]:
    return (
        f"{one.runs_per_s:,.0f}",
        f"{one.cpu_ms_per_run:.2f}",
        f"{one.e2e_p50_ms:,.0f}",
        f"{one.e2e_p99_ms:,.0f}",
        f"{one.peak_pss_mb:,.0f}",
    )


def _name(setting: str, workers: int) -> str:
    return f"{setting}, {workers} worker{'s' if workers > 1 else ''}"


if __name__ == "__main__":
    sys.exit(main())
