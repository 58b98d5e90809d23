"""`python -m bench.soak --seconds 1800 --seed 1`: two workers under kills, and what came of each event.

Exit code 0 only if nothing is missing, doubled or stuck; the last line says the counts.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.audit import audit, until_quiet
from bench.blows import Rhythm, keep_up, strike
from bench.findings import Findings
from bench.fleet import Fleet
from bench.interrupt import EXIT_CODE, Interrupted, leaves, run
from bench.journal import Journal
from bench.orders import batch_name, orders
from bench.program import StartFailed
from bench.progress import Say, say
from bench.traffic import NotAccepted, Traffic, with_repeats
from cli.errors import CommandFailed


@dataclass(frozen=True, slots=True)
class Soak:
    """What is done, for how long."""

    seconds: float
    rhythm: Rhythm
    per_s: float = 200.0
    repeats: float = 0.05
    """Share of what is posted that has been posted before."""


async def soak(plan: Soak, home: Path, say: Say) -> Findings:
    """Runs it all in `home`, which is emptied first and keeps logs and journal. Leaves no process behind.

    Raises `StartFailed`, `NotAccepted` and `CommandFailed`.
    """
    say("starting a broker, a front and two workers")
    async with Fleet(home, workers=2) as fleet:
        job = await fleet.deployment.install_job()
        with Journal(home / "journal.txt") as journal:
            await _storm(plan, fleet, Traffic(job.endpoint, journal), say)
            say("posting is over, waiting for the last runs")
            if not await until_quiet(fleet.deployment, fleet.kafka, len(journal.acknowledged), say=say):
                say("it did not come to rest in time")
            return await audit(fleet.deployment, journal)


async def _storm(plan: Soak, fleet: Fleet, traffic: Traffic, say: Say) -> None:
    """Posts for the time of the plan, under blows; afterwards all workers are up."""
    over = asyncio.Event()
    chance = random.Random(f"repeats {plan.rhythm.seed}")
    events = with_repeats(orders(batch_name("soak")), plan.repeats, chance)
    async with asyncio.TaskGroup() as group:
        group.create_task(strike(fleet.workers, plan.rhythm, over, say))
        for worker in fleet.workers:
            group.create_task(keep_up(worker, plan.rhythm, over, say))
        await traffic.post_at(plan.per_s, plan.seconds, events, _each_ten_seconds(plan, say))
        over.set()


def _each_ten_seconds(plan: Soak, say: Say) -> Callable[[int], None]:
    def on_second(posted: int) -> None:
        seconds = posted / plan.per_s
        if seconds % 10 == 0:
            say(f"{seconds:,.0f} of {plan.seconds:,.0f} s, {posted:,} events posted")

    return on_second


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800, help="of posting")
    parser.add_argument("--seed", type=int, default=1, help="of what is killed when, and which events repeat")
    arguments = parser.parse_args()
    plan = Soak(arguments.seconds, Rhythm(arguments.seed))
    home = Path(tempfile.mkdtemp(prefix="hopline-soak-"))
    try:
        found = _found(plan, home, say)
    except Interrupted:
        shutil.rmtree(home)
        return EXIT_CODE
    if found is None:
        return 1
    for fault, order_ids in found.examples.items():
        say(f"{fault}: {', '.join(order_ids)}, ...; logs and journal are in {home}")
    print(found)
    if not found.clean:
        return 1
    shutil.rmtree(home)
    return 0


def _found(plan: Soak, home: Path, say: Say) -> Findings | None:
    """None when the soak could not be carried through. Raises `Interrupted`."""
    found: Findings | None = None
    try:
        found = run(soak(plan, home, say))
    except* (StartFailed, NotAccepted, CommandFailed) as failures:
        say(f"failed: {'; '.join(map(str, leaves(failures)))}; the logs are in {home}")
    return found


if __name__ == "__main__":
    sys.exit(main())
