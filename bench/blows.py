"""Strikes processes down at random moments, and sets them up again as a supervisor does."""

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bench.fleet import Member
from bench.progress import Say

# Java ends with 143 on SIGTERM.
_ENDED_BY_US = (0, -signal.SIGKILL, 128 + signal.SIGTERM)


class Endable(Protocol):
    """A process that can be started again, as `bench.fleet.Member` is."""

    @property
    def name(self) -> str:
        """For whoever reads what happened."""

    @property
    def exit_code(self) -> int | None:
        """Of the process that ran last; None while it runs."""

    async def wait(self) -> int:
        """Until the process that runs now has ended."""

    async def start(self) -> object:
        """Another one."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often, and how long a process stays down. The seed decides which, when and how."""

    seed: int
    every_s: float = 20.0
    """Each stretch of this length has one blow, at a random moment in it."""
    max_pause_s: float = 3.0


async def strike(members: Sequence[Member], rhythm: Rhythm, over: asyncio.Event, say: Say) -> None:
    """One of the members after another gets SIGKILL or SIGTERM, as likely, until it is over."""
    chance, began = random.Random(f"strike {rhythm.seed}"), time.monotonic()
    for number in itertools.count():
        moment = began + (number + chance.uniform(0.1, 0.9)) * rhythm.every_s
        member, kill = chance.choice(members), chance.random() < 0.5
        if await _passes(over, moment - time.monotonic()):
            return
        if not member.running:
            continue
        say(f"{member.name}: {'kill -9' if kill else 'SIGTERM'}")
        if kill:
            await member.kill()
        elif not await member.stop():
            say(f"{member.name} did not stop in time")


async def keep_up(member: Member, rhythm: Rhythm, over: asyncio.Event, say: Say) -> None:
    """Starts the member again each time it has ended, a moment later, until it is over; then it is up."""
    chance = random.Random(f"keep up {member.name} {rhythm.seed}")

    async def rest() -> None:
        await _passes(over, chance.uniform(0, rhythm.max_pause_s))

    await set_up_again(member, rest, over, say)


async def set_up_again(
    member: Endable, rest: Callable[[], Awaitable[object]], over: asyncio.Event, say: Say
) -> None:
    """Starts the member each time it has ended and `rest()` has returned, until it is over; then it is up."""
    while not await _ends(member, over):
        if member.exit_code not in _ENDED_BY_US:
            # A worker that would skip an event exits instead: its restart replays.
            say(f"{member.name} has ended by itself with code {member.exit_code}")
        await rest()
        await member.start()


async def _ends(member: Endable, over: asyncio.Event) -> bool:
    """Waits until the member ends, or until all is over while it runs; whether the latter."""
    ended, all_over = asyncio.ensure_future(member.wait()), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait((ended, all_over), return_when=asyncio.FIRST_COMPLETED)
        return not ended.done()
    finally:
        ended.cancel()
        all_over.cancel()


async def _passes(over: asyncio.Event, seconds: float) -> bool:
    """Sleeps; whether it was over before."""
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), max(0.0, seconds))
        return True
    return False
