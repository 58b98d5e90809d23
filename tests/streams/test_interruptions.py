"""Stopping work on executions that nobody waits for."""

import asyncio

import pytest

from streams.interruptions import Interruptions

ONE, TWO = "1b2c3d4e-5f60-5718-8293-a4b5c6d7e8f9", "2b2c3d4e-5f60-5718-8293-a4b5c6d7e8f9"


async def work(interruptions: Interruptions, execution_id: str, begun: asyncio.Event) -> str:
    async with interruptions.during(execution_id) as work:
        begun.set()
        await asyncio.Event().wait()
    await asyncio.sleep(0)  # nothing of the cancellation is left
    return "interrupted" if work.interrupted else "ended"


async def test_work_under_way_ends_and_what_comes_after_it_goes_on() -> None:
    interruptions, begun = Interruptions(), asyncio.Event()
    task = asyncio.create_task(work(interruptions, ONE, begun))
    await begun.wait()
    interruptions.cancel([TWO])
    await asyncio.sleep(0)
    assert not task.done()
    interruptions.cancel([TWO, ONE])
    interruptions.cancel([ONE])
    assert await task == "interrupted"
    assert task.cancelling() == 0


async def test_what_is_under_way_is_known() -> None:
    interruptions = Interruptions()
    async with interruptions.during(ONE):
        assert (interruptions.is_under_way(ONE), interruptions.is_under_way(TWO)) == (True, False)
    assert not interruptions.is_under_way(ONE)


async def test_somebody_elses_cancellation_passes_through() -> None:
    interruptions, begun = Interruptions(), asyncio.Event()
    task = asyncio.create_task(work(interruptions, ONE, begun))
    await begun.wait()
    task.cancel()
    interruptions.cancel([ONE])
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_ends_by_itself_or_fails_is_left_alone() -> None:
    interruptions = Interruptions()
    async with interruptions.during(ONE) as done:
        pass
    with pytest.raises(ValueError, match="its own"):
        async with interruptions.during(ONE):
            raise ValueError("its own")
    interruptions.cancel([ONE])
    assert not done.interrupted


def test_what_comes_later_is_known_but_not_for_ever() -> None:
    interruptions = Interruptions(most=2)
    interruptions.cancel([ONE, "no UUID"])
    assert ONE in interruptions
    assert TWO not in interruptions
    interruptions.cancel([TWO])
    assert ("no UUID" in interruptions, TWO in interruptions, ONE in interruptions) == (True, True, False)
