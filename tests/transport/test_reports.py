"""Reports are looked for where it costs least, and by one thread at a time."""

import asyncio
import queue
import threading
from collections.abc import Iterator

import pytest

from transport.reports import Reports


class _Source:
    """Stands for librdkafka: whoever polls gets what has come, and its thread is kept with it."""

    def __init__(self) -> None:
        self._come: queue.Queue[int] = queue.Queue()
        self._polled = threading.Lock()
        self._served: list[tuple[int, int]] = []
        self.resolved: asyncio.Queue[tuple[int, int]] = asyncio.Queue()
        """What has come, and the thread that has served it."""
        self._numbers: Iterator[int] = iter(range(1_000_000))

    def come(self) -> None:
        self._come.put(next(self._numbers))

    def poll(self, timeout_s: float) -> int:
        assert self._polled.acquire(blocking=False), "two poll at once"
        try:
            number = self._come.get(timeout=timeout_s) if timeout_s else self._come.get_nowait()
        except queue.Empty:
            return 0
        finally:
            self._polled.release()
        self._served.append((number, threading.get_ident()))
        return 1

    def resolve(self) -> None:
        while self._served:
            self.resolved.put_nowait(self._served.pop(0))

    async def served_by_loop(self) -> bool:
        self.come()
        async with asyncio.timeout(10):
            _, thread = await self.resolved.get()
        return thread == threading.get_ident()


@pytest.fixture
def source() -> _Source:
    return _Source()


async def test_a_thread_waits_for_reports_that_come_now_and_then(source: _Source) -> None:
    reports = Reports(source.poll, source.resolve)
    assert not await source.served_by_loop()
    assert not await source.served_by_loop()
    await reports.close()


async def test_the_loop_looks_for_many_until_there_are_few(source: _Source) -> None:
    reports = Reports(source.poll, source.resolve)
    async with asyncio.timeout(20):
        # The first may be the thread's, which waits already.
        while not await source.served_by_loop():
            reports.are_many()
        while await source.served_by_loop():
            pass
    await reports.close()


async def test_none_is_lost_on_the_way_from_one_to_the_other(source: _Source) -> None:
    reports = Reports(source.poll, source.resolve)
    for number in range(300):
        source.come()
        if number % 100 == 0:
            reports.are_many()
            await asyncio.sleep(0.002)
    async with asyncio.timeout(20):
        found = [(await source.resolved.get())[0] for _ in range(300)]
    assert found == list(range(300))
    await reports.close()
