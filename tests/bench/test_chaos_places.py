"""Processes that are struck, and set up again: with real ones that only sleep."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from bench.chaos.places import Place
from bench.fleet import Member


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Of a process that is kept up; it has ended afterwards."""
    member = Member("sleeper", ["sleep", "600"], {}, tmp_path / "log")
    await member.start()
    kept = Place(member, lambda _: None)
    over = asyncio.Event()
    keeping = asyncio.create_task(kept.keep_up(over))
    yield kept
    over.set()
    await keeping
    await member.kill()


def pid(place: Place) -> int:
    assert isinstance(place.process, Member)
    return place.process.pid


async def test_files_are_damaged_while_nobody_runs(place: Place) -> None:
    before = pid(place)
    seen: list[bool] = []

    def damage() -> str:
        seen.append(place.process.running)
        return "damaged"

    await place.kill(0.01, damage)
    assert seen == [False]
    assert place.process.running
    assert pid(place) != before
    assert place.deaths == 0


async def test_who_dies_by_itself_is_set_up_again_and_counted(place: Place) -> None:
    before = pid(place)
    os.kill(before, signal.SIGSEGV)
    while pid(place) == before or not place.process.running:  # noqa: ASYNC110 nobody tells
        await asyncio.sleep(0.02)
    assert place.deaths == 1


async def test_who_is_frozen_is_thawed_also_when_all_is_over(place: Place) -> None:
    process = psutil.Process(pid(place))
    freezing = asyncio.create_task(place.freeze(600))
    for _ in range(1_000):
        if process.status() == psutil.STATUS_STOPPED:
            break
        await asyncio.sleep(0.01)
    freezing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await freezing
    assert process.status() != psutil.STATUS_STOPPED
    assert process.pid == pid(place)


async def test_a_blow_waits_until_the_one_before_is_over(place: Place) -> None:
    before = pid(place)
    first = asyncio.create_task(place.kill(0.1))
    await asyncio.sleep(0)
    assert await place.terminate(0.0)
    assert first.done()
    assert place.process.running
    assert pid(place) != before
    assert place.deaths == 0
