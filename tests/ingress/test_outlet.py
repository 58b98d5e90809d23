"""Events while the broker is away, and when it is back."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from ingress.outlet import Outlet
from ingress.spool import Spool
from transport.errors import SendFailed
from transport.producer import Send

MIB = 1024 * 1024


class Broker:
    """Takes messages, or is away."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[Send] = []

    async def send(self, send: Send) -> None:
        await self.send_all([send])

    async def send_all(self, sends: Sequence[Send]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise SendFailed("Local: Message timed out")
        self.taken.extend(sends)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingress.outlet._AGAIN_S", 0.01)


def event(number: int) -> Send:
    return Send("trigger.events", b"k", str(number).encode())


def outlet(broker: Broker, folder: Path, max_bytes: int = MIB) -> Outlet:
    return Outlet(cast(Any, broker), Spool(folder, max_bytes))


async def until_empty(out: Outlet) -> None:
    async with asyncio.timeout(30):
        while out.spooled:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_events_wait_on_the_disk_and_follow_in_order(tmp_path: Path) -> None:
    broker = Broker()
    async with outlet(broker, tmp_path).running() as out:
        await out.send(event(0))
        broker.away = True
        for number in range(1, 6):
            await out.send(event(number))
        await asyncio.gather(*(out.send(event(number)) for number in range(6, 9)))
        assert (out.spooled, broker.taken) == (8, [event(0)])
        broker.away = False
        await out.send(event(9))
        await until_empty(out)
        await out.send(event(10))
    assert broker.taken == [event(n) for n in range(11)]


async def test_what_is_left_follows_after_a_restart(tmp_path: Path) -> None:
    broker = Broker()
    broker.away = True
    async with outlet(broker, tmp_path).running() as out:
        await out.send(event(1))
    broker.away = False
    async with outlet(broker, tmp_path).running() as out:
        await until_empty(out)
    assert broker.taken == [event(1)]


async def test_what_neither_takes_is_not_acknowledged(tmp_path: Path) -> None:
    broker = Broker()
    broker.away = True
    async with outlet(broker, tmp_path, MIB).running() as out:
        big = Send("trigger.events", b"k", b"x" * (MIB - 200))
        await out.send(big)
        with pytest.raises(SendFailed, match="the spool has its"):
            await out.send(Send("trigger.events", b"k", b"y" * 1000))
        assert not out.has_room
        broker.away = False
        await until_empty(out)
    assert broker.taken == [big]


async def test_without_a_spool_the_broker_alone_counts() -> None:
    broker = Broker()
    broker.away = True
    async with Outlet(cast(Any, broker), None).running() as out:
        with pytest.raises(SendFailed):
            await out.send(event(0))
    assert not out.has_room


async def test_a_disk_that_cannot_be_read_for_a_while_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker()
    broker.away = True
    peek, failures = Spool.peek, [OSError(5, "Input/output error")] * 2

    def failing(spool: Spool, limit: int) -> list[Send]:
        if failures:
            raise failures.pop()
        return peek(spool, limit)

    monkeypatch.setattr(Spool, "peek", failing)
    async with outlet(broker, tmp_path).running() as out:
        await out.send(event(1))
        broker.away = False
        await until_empty(out)
    assert (broker.taken, failures) == ([event(1)], [])


class Broken(Spool):
    """A spool whose disk fails `times` times in the way that is asked for."""

    times = 3
    step = ""
    error: Exception = OSError(5, "Input/output error")

    def _fail(self, step: str) -> None:
        if self.step == step and self.times:
            self.times -= 1
            raise self.error

    def append(self, sends: Iterable[Send]) -> None:
        self._fail("append")
        super().append(sends)

    def peek(self, limit: int, max_bytes: int = MIB) -> list[Send]:
        self._fail("peek")
        return super().peek(limit, max_bytes)

    def sent(self, count: int) -> None:
        self._fail("sent")
        super().sent(count)


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("not even an OSError")])
@pytest.mark.parametrize("step", ["peek", "sent"])
async def test_a_disk_that_fails_for_a_moment_keeps_no_event_for_good(
    tmp_path: Path, step: str, error: Exception
) -> None:
    broker, spool = Broker(), Broken(tmp_path, MIB)
    spool.step, spool.error, broker.away = step, error, True
    async with Outlet(cast(Any, broker), spool).running() as out:
        await out.send(event(1))
        broker.away = False
        await until_empty(out)
    assert spool.times == 0
    assert {send.value for send in broker.taken} == {b"1"}


async def test_whatever_is_wrong_with_the_spool_nobody_waits_for_ever(tmp_path: Path) -> None:
    broker, spool = Broker(), Broken(tmp_path, MIB)
    spool.step, spool.times, broker.away = "append", 1, True
    spool.error = ValueError("not even an OSError")
    async with Outlet(cast(Any, broker), spool).running() as out:
        with pytest.raises(SendFailed, match="not even"):
            await asyncio.wait_for(out.send(event(1)), 30)
        await asyncio.wait_for(out.send(event(2)), 30)
        assert out.spooled == 1
