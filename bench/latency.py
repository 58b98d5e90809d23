"""`python -m bench.latency`: how long a run takes at shares of the highest rate, and where its time goes."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench import plot, report
from bench.interrupt import EXIT_CODE, Interrupted, run
from bench.measure import Phase, Plan, at_full_load, at_rate, percentile, started
from bench.peers.hopline import Hopline, Times
from bench.plot import Bar, Panel, short
from bench.program import StartFailed
from bench.progress import say
from cli.errors import CommandFailed

RESULTS = Path(__file__).parent / "results" / "latency.json"
SHARES = (1, 10, 50, 80)
"""Percent of the highest rate."""
_PAUSE_S = 3.0
_STAGES = ("sending to accepted", "to begun", "to finished", "to safe", "to recorded")


@dataclass(frozen=True, slots=True)
class Load:
    """The figures at one rate, under the names they have in `results/latency.json`."""

    share: int
    """Percent of the highest rate."""
    asked_per_s: float
    sent_per_s: float
    """What the driver came to. Less than asked for: it had too little of the processor."""
    runs: int
    ack_p50_ms: float
    ack_p99_ms: float
    safe_p50_ms: float
    """From sending the order until the end of its run was in Kafka."""
    safe_p99_ms: float
    e2e_p50_ms: float
    """From sending the order to the recorded end of its run."""
    e2e_p99_ms: float
    accepted_ms: float
    """Median, from sending to when the event was accepted, and so on below, each from the one before."""
    begun_ms: float
    finished_ms: float
    safe_ms: float
    recorded_ms: float
    cpu_ms_per_run: float
    """Of all processes, from the first order until the last run was recorded."""
    unfinished: int
    """Accepted, but not ended in time: anything but 0 spoils the other figures."""
    refusals: dict[str, int]

    @property
    def stages(self) -> tuple[float, ...]:
        """In the order of what happens. Their sum is not the median of the whole, only near it."""
        return self.accepted_ms, self.begun_ms, self.finished_ms, self.safe_ms, self.recorded_ms


def figures(share: int, per_s: float, phase: Phase, times: Mapping[str, Times]) -> Load:
    """`times`: of the runs of this phase, by order id."""
    sent_at, ack_ms = phase.posted.sent_at, list(phase.posted.ack_ms.values())
    safe_ms, e2e_ms = phase.safe_ms(), phase.e2e_ms()
    steps = [
        (sent_at[order], at.accepted, at.begun, at.finished, phase.safe_at[order], at.recorded)
        for order, at in times.items()
        if order in phase.safe_at
    ]
    span_s = max(sent_at.values()) - min(sent_at.values())
    return Load(
        share=share,
        asked_per_s=per_s,
        sent_per_s=(len(sent_at) - 1) / span_s if span_s else per_s,
        runs=len(times),
        ack_p50_ms=percentile(ack_ms, 50),
        ack_p99_ms=percentile(ack_ms, 99),
        safe_p50_ms=percentile(safe_ms, 50),
        safe_p99_ms=percentile(safe_ms, 99),
        e2e_p50_ms=percentile(e2e_ms, 50),
        e2e_p99_ms=percentile(e2e_ms, 99),
        accepted_ms=_between(steps, 0),
        begun_ms=_between(steps, 1),
        finished_ms=_between(steps, 2),
        safe_ms=_between(steps, 3),
        recorded_ms=_between(steps, 4),
        cpu_ms_per_run=phase.used.cpu_s * 1000 / len(times) if times else float("nan"),
        unfinished=phase.unfinished,
        refusals=dict(phase.posted.refusals),
    )


def table(loads: Sequence[Load]) -> str:
    """Markdown."""
    heads = ["", "sent/s", "ack p50 ms", "p99 ms", "safe p50 ms", "p99 ms", "recorded p50 ms", "p99 ms"]
    return report.markdown([*heads, *_STAGES, "CPU ms/run"], [_row(load) for load in loads])


def panels(loads: Sequence[Load]) -> list[Panel]:
    """What is drawn: both latencies, and the stages."""
    spread = ("p50", "p99")
    return [
        Panel(
            "acknowledgement, ms", [_spread(load, load.ack_p50_ms, load.ack_p99_ms) for load in loads], spread
        ),
        Panel(
            "end in Kafka, ms", [_spread(load, load.safe_p50_ms, load.safe_p99_ms) for load in loads], spread
        ),
        Panel(
            "end recorded, ms", [_spread(load, load.e2e_p50_ms, load.e2e_p99_ms) for load in loads], spread
        ),
        Panel("where the time goes, medians in ms", [_parts(load) for load in loads], _STAGES),
    ]


def main() -> int:
    """0 if everything that was accepted has ended, 1 if not or if Hopline failed, 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of posting at each rate")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="hopline-latency-") as home:
            highest, loads = run(_measure(Path(home) / "data", given.seconds))
    except Interrupted:
        return EXIT_CODE
    except (StartFailed, CommandFailed, OSError) as failure:
        say("hopline", f"failed: {failure}")
        return 1
    _show(highest, loads)
    return 1 if any(load.unfinished or load.refusals for load in loads) else 0


async def _measure(data: Path, seconds: float) -> tuple[float, list[Load]]:
    """The highest rate, in runs/s, and what was measured at each share of it."""
    hopline, plan, loads = Hopline(), Plan(), []
    tell = partial(say, hopline.name)
    async with started(hopline, data, tell):
        highest = (await at_full_load(hopline, plan, tell)).runs_per_s
        tell(f"{highest:,.0f} runs/s")
        for share in SHARES:
            await asyncio.sleep(_PAUSE_S)
            per_s = highest * share / 100
            phase = await at_rate(hopline, plan, per_s, max(2, round(per_s * seconds)), tell)
            loads.append(figures(share, per_s, phase, await hopline.times(phase.batch)))
    return highest, loads


def _show(highest: float, loads: Sequence[Load]) -> None:
    document: dict[str, Any] = {"runs_per_s": highest, "loads": [asdict(load) for load in loads]}
    report.save(RESULTS, document | {"machine": report.machine()})
    plot.save("latency", f"Latency by load, of {highest:,.0f} runs/s at most", panels(loads))
    print(f"{highest:,.0f} runs/s at most\n\n{table(loads)}")


def _between(steps: Sequence[Sequence[float]], number: int) -> float:
    """Of the step of this number to the next one, ms."""
    return median((step[number + 1] - step[number]) * 1000 for step in steps) if steps else float("nan")


def _row(load: Load) -> list[str]:
    latencies = (load.ack_p50_ms, load.ack_p99_ms, load.safe_p50_ms, load.safe_p99_ms)
    recorded = (load.e2e_p50_ms, load.e2e_p99_ms)
    figures = (load.sent_per_s, *latencies, *recorded, *load.stages, load.cpu_ms_per_run)
    return [_name(load), *map(short, figures)]


def _spread(load: Load, p50: float, p99: float) -> Bar:
    return Bar(_name(load), (p50, p99 - p50), f"p50 {short(p50)}, p99 {short(p99)}")


def _parts(load: Load) -> Bar:
    return Bar(_name(load), load.stages, " + ".join(map(short, load.stages)))


def _name(load: Load) -> str:
    return f"{load.share} %"


if __name__ == "__main__":
    sys.exit(main())
