"""When a worker is taken for dead though it still breathes."""

import asyncio
import time

from streams.shell.watchdog import Watchdog


def watchdog(ends: list[str]) -> Watchdog:
    return Watchdog(every_s=1, hung_s=3, exit_s=5, end=lambda: ends.append("end"))


async def test_a_loop_that_turns_is_left_alone() -> None:
    ends: list[str] = []
    dog = Watchdog(every_s=0.01, hung_s=0.01, exit_s=0.02, end=lambda: ends.append("end"))
    dog._turn(asyncio.get_running_loop())
    for _ in range(5):
        await asyncio.sleep(0.02)
        dog.look()
    dog.stop()
    assert (dog.hung, ends) == (False, [])


async def test_one_that_stands_still_is_hung_and_then_ended() -> None:
    ends: list[str] = []
    dog = watchdog(ends)
    dog._turned.set()
    seen = []
    for _ in range(6):
        dog.look()
        seen.append((dog.hung, len(ends)))
    assert seen == [(False, 0), (False, 0), (False, 0), (True, 0), (True, 0), (True, 1)]


async def test_one_that_goes_on_is_alive_again() -> None:
    ends: list[str] = []
    dog = watchdog(ends)
    for _ in range(4):
        dog.look()
    assert dog.hung
    dog._turned.set()
    dog.look()
    assert not dog.hung
    for _ in range(2):
        dog.look()
    assert (dog.hung, ends) == (False, [])


async def test_the_thread_looks_while_the_loop_cannot() -> None:
    ended: list[float] = []
    dog = Watchdog(every_s=0.01, hung_s=0.02, exit_s=0.04, end=lambda: ended.append(1))
    dog.start()
    await asyncio.sleep(0)
    until = time.monotonic() + 10
    while not ended and time.monotonic() < until:
        time.sleep(0.01)  # noqa: ASYNC251 - this is what hanging is
    dog.stop()
    assert ended
    assert dog.hung
