"""`python -m bench.chaos --events 100000 --faults 200 --seed 1`: a whole Hopline under fire, audited.

Exit code 0 only if nothing is missing, doubled or stuck; the last line says the counts.
"""

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.audit import audit, settle
from bench.chaos.cluster import NoLeader
from bench.chaos.faults import Kind, plan, table
from bench.chaos.fleet import ChaosFleet, Crew
from bench.chaos.load import Load
from bench.chaos.places import DidNotComeBack
from bench.chaos.storm import Storm, targets
from bench.findings import Findings
from bench.interrupt import EXIT_CODE, Interrupted, leaves, run
from bench.program import StartFailed
from bench.progress import Say, say
from bench.traffic import NotAccepted
from cli.errors import CommandFailed

_QUIET_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Chaos:
    """What is done."""

    events: int
    faults: int
    seed: int
    max_per_s: float
    every_s: float
    """Least distance of two faults, on average: for fewer events than that takes, they come more slowly."""

    @property
    def per_s(self) -> float:
        """Events."""
        return min(self.max_per_s, self.events / max(1.0, self.faults * self.every_s))

    @property
    def seconds(self) -> float:
        """Of events and faults."""
        return self.events / self.per_s


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    findings: Findings
    faults: dict[Kind, int]
    settled: bool
    """Whether everything came to rest in time."""
    deaths: dict[str, int]
    """Process -> how often it has ended by itself, to be set up again."""
    seconds: float
    """Of all, the start of the processes and the audit included."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.findings.clean and self.settled

    def report(self, chaos: Chaos) -> str:
        """For docs/reliability.md, in Markdown."""
        ended = ", ".join(f"{name} {count}" for name, count in self.deaths.items() if count) or "none"
        return (
            f"`make chaos EVENTS={chaos.events} FAULTS={chaos.faults} SEED={chaos.seed}`, "
            f"{self.seconds / 60:.0f} minutes, {chaos.per_s:.0f} events/s, "
            f"{_cpu_s() / 60:.0f} minutes of CPU:\n\n"
            f"{table(self.faults)}\n\n"
            f"Processes that ended by themselves, and were set up again: {ended}.\n\n"
            f"{self.findings}\n"
        )


async def chaos(what: Chaos, home: Path, say: Say) -> Outcome:
    """Runs it all in `home`, which gets logs and journals. Leaves no process behind.

    Raises `StartFailed`, `NotAccepted`, `CommandFailed`, `DidNotComeBack` and `NoLeader`, also
    in groups.
    """
    began, crew = time.monotonic(), Crew()
    async with ChaosFleet(home, what.seed, say, crew) as fleet:
        load = Load(fleet.addresses, fleet.api_key, what.seed, home, fleet.receiver_url)
        await load.install()
        storm = Storm(fleet, what.seed, say)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for place in fleet.places:
                group.create_task(place.keep_up(over))
            await _under_fire(what, crew, load, storm, say)
            say("no more faults; waiting for the last runs")
            deployment = fleet.deployments[0]
            settled = await settle(deployment, fleet.kafka, load, timeout_s=_QUIET_TIMEOUT_S, say=say)
            if not settled:
                say("it did not come to rest in time")
            findings = await audit(deployment, load, fleet.receiver_journal)
            over.set()
        deaths = {place.name: place.deaths for place in fleet.places}
        return Outcome(findings, dict(storm.done), settled, deaths, time.monotonic() - began)


async def _under_fire(what: Chaos, crew: Crew, load: Load, storm: Storm, say: Say) -> None:
    """Returns when all events are acknowledged and all faults are over."""
    which = targets(crew.workers, crew.ingresses, crew.sinks)
    faults = plan(what.faults, what.seed, which)
    say(f"{what.events:,} events and {what.faults} faults in {what.seconds:,.0f} s")
    async with asyncio.TaskGroup() as group:
        group.create_task(storm.blow(faults, what.seconds))
        group.create_task(load.run(what.events, what.per_s, say))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of events, faults, and what fails on purpose")
    parser.add_argument("--per-s", type=float, default=70.0, help="events per second at most")
    parser.add_argument("--every-s", type=float, default=7.0, help="seconds between two faults at least")
    parser.add_argument(
        "--home", type=Path, help="a new directory, which is kept; else one that goes if clean"
    )
    parser.add_argument("--report", type=Path, help="a file for the counts of faults, in Markdown")
    given = parser.parse_args()
    what = Chaos(given.events, given.faults, given.seed, given.per_s, given.every_s)
    home = given.home or Path(tempfile.mkdtemp(prefix="hopline-chaos-"))
    try:
        outcome = _outcome(what, home.absolute(), say)
    except Interrupted:
        return EXIT_CODE
    if outcome is None:
        return 1
    report = outcome.report(what)
    (given.report or home / "report.md").write_text(report)
    print(report)
    for fault, examples in outcome.findings.examples.items():
        say(f"{fault}: {', '.join(examples)}, ...")
    if not outcome.clean:
        say(f"logs and journals are in {home}")
    elif given.home is None:
        shutil.rmtree(home)
    print(outcome.findings)
    return 0 if outcome.clean else 1


def _outcome(what: Chaos, home: Path, say: Say) -> Outcome | None:
    """None when it could not be carried through. Raises `Interrupted`."""
    outcome: Outcome | None = None
    try:
        outcome = run(chaos(what, home, say))
    except* (StartFailed, NotAccepted, CommandFailed, DidNotComeBack, NoLeader) as failures:
        for failure in leaves(failures):
            say(f"failed: {type(failure).__name__} {failure}")
        say(f"logs and journals are in {home}")
    return outcome


def _cpu_s() -> float:
    """Of this process and of all that it has started, which must have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


if __name__ == "__main__":
    sys.exit(main())
