"""`python -m bench.rolling --old HEAD~1`: all roles are restarted under load, to another release and back.

Exit code 0 only if each process drained and nothing is missing, doubled or stuck; the last line says the
counts.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.audit import audit, until_quiet
from bench.findings import Findings
from bench.interrupt import EXIT_CODE, Interrupted, leaves, run
from bench.journal import Journal
from bench.orders import batch_name, orders
from bench.program import StartFailed
from bench.progress import Say, say
from bench.releases import HERE, NoSuchRelease, Release, checked_out
from bench.roles import Roles, Rolled
from bench.traffic import NotAccepted, Traffic
from cli.errors import CommandFailed

_MOST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Roll:
    """What is done."""

    to: Sequence[Release]
    """All roles go from the release that they began with to each of these, one role after the other."""
    per_s: float = 50.0
    between_s: float = 2.0
    """Between two restarts."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    audit: Findings
    rolled: Sequence[Rolled]
    retries: int
    """Requests that no ingress answered with 2xx at first."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.audit.clean and all(one.clean for one in self.rolled)

    def __str__(self) -> str:
        unclean = [f"{one.seat} with code {one.exit_code}" for one in self.rolled if not one.clean]
        ends = f"all {len(self.rolled)} drained" if not unclean else f"not drained: {', '.join(unclean)}"
        return f"{self.audit}; {ends}; {self.retries} requests were sent again"


async def roll(plan: Roll, begin: Release, home: Path, say: Say) -> Outcome:
    """Runs it all in `home`, which keeps logs and journal. Leaves no process behind.

    Raises `StartFailed`, `NotAccepted` and `CommandFailed`.
    """
    say(f"starting all roles from {begin.name}")
    async with Roles(home, begin) as roles:
        job = await roles.deployment.install_job()
        first, *others = roles.doors(job)
        with Journal(home / "journal.txt") as journal:
            rolled = await _under_load(plan, roles, Traffic(first, journal, others=others), say)
            say("posting is over, waiting for the last runs")
            if not await until_quiet(roles.deployment, roles.kafka, len(journal.acknowledged), say=say):
                say("it did not come to rest in time")
            return Outcome(await audit(roles.deployment, journal), rolled, journal.retries)


async def _under_load(plan: Roll, roles: Roles, traffic: Traffic, say: Say) -> list[Rolled]:
    rolled: list[Rolled] = []
    over = asyncio.Event()
    posting = asyncio.create_task(
        traffic.post_at(plan.per_s, _MOST_S, orders(batch_name("roll")), lambda _: None, over=over)
    )
    try:
        for release in plan.to:
            for seat in roles.seats:
                await _pause(plan.between_s, posting)
                rolled.append(one := await seat.roll(release))
                say(
                    f"{one.seat} is {one.release}: ended with {one.exit_code} after {one.stopped_s:.1f} s,"
                    f" ready again after {one.down_s:.1f} s"
                )
        await _pause(plan.between_s, posting)
    finally:
        over.set()
        await posting
    return rolled


async def _pause(seconds: float, posting: "asyncio.Task[None]") -> None:
    """Raises what ends the posting."""
    await asyncio.wait((posting,), timeout=seconds)
    if posting.done():
        posting.result()


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.rolling", description=__doc__)
    parser.add_argument(
        "--old", metavar="REVISION", help="to begin with, and to go back to; else the code here"
    )
    parser.add_argument("--new", metavar="REVISION", help="to go to; else the code here")
    parser.add_argument("--per-s", type=float, default=50.0, help="events a second")
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="hopline-rolling-"))
    try:
        found = _found(arguments.old, arguments.new, arguments.per_s, home, say)
    except Interrupted:
        shutil.rmtree(home)
        return EXIT_CODE
    if found is None:
        return 1
    for fault, order_ids in found.audit.examples.items():
        say(f"{fault}: {', '.join(order_ids)}, ...; logs and journal are in {home}")
    print(found)
    if not found.clean:
        return 1
    shutil.rmtree(home)
    return 0


def _found(old: str | None, new: str | None, per_s: float, home: Path, say: Say) -> Outcome | None:
    """None when it could not be carried through. Raises `Interrupted`."""
    found: Outcome | None = None
    try:
        found = run(_between(old, new, per_s, home, say))
    except* (StartFailed, NotAccepted, CommandFailed, NoSuchRelease) as failures:
        say(f"failed: {'; '.join(map(str, leaves(failures)))}; the logs are in {home}")
    return found


async def _between(old: str | None, new: str | None, per_s: float, home: Path, say: Say) -> Outcome:
    async with AsyncExitStack() as stack:
        after = HERE
        if new is not None:
            after = await stack.enter_async_context(checked_out("new", new, home / "new"))
        if old is None:
            return await roll(Roll([after], per_s), after, home, say)
        before = await stack.enter_async_context(checked_out("old", old, home / "old"))
        return await roll(Roll([after, before], per_s), before, home, say)


if __name__ == "__main__":
    sys.exit(main())
