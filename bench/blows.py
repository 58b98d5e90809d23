"""Strikes processes down at random moments, and sets them up again as a supervisor does."""

import asyncio
import itertools
import random
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from bench.fleet import Member

Say = Callable[[str], None]


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
    """Starts the member again each time it has ended, until it is over; then it is up."""
    chance = random.Random(f"keep up {member.name} {rhythm.seed}")
    while not await _ends(member, over):
        if member.exit_code not in (0, -signal.SIGKILL):
            # A worker that would skip an event exits instead: its restart replays.
            say(f"{member.name} has ended by itself with code {member.exit_code}")
        await _passes(over, chance.uniform(0, rhythm.max_pause_s))
        await member.start()


async def _ends(member: Member, over: asyncio.Event) -> bool:
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
