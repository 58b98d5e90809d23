"""Connections are taken many in a turn, and none is forgotten, also where the system has nothing left."""

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ingress import listening
from ingress.listening import Listener, listen


class Counting(asyncio.Protocol):
    """Of a connection."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).made += 1
        transport.close()


class Doorkeeper:
    """Notes what it is told, and turns nobody away unless it is told to."""

    def __init__(self) -> None:
        self.told: list[bool] = []
        self.strict = False
        self.away = 0

    def turned_away(self, connection: socket.socket) -> bool:
        if self.strict:
            self.away += 1
            connection.close()
        return self.strict

    def taken(self, all_of_them: bool) -> None:
        self.told.append(all_of_them)


@pytest.fixture(autouse=True)
def nobody_yet() -> None:
    Counting.made = 0


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(clients: ExitStack, port: int, count: int) -> None:
    """Without a turn of the loop: all of them wait to be taken."""
    for _ in range(count):
        clients.enter_context(socket.create_connection(("127.0.0.1", port), 10))


async def until(done: Any) -> None:
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_many_are_taken_in_a_turn_and_the_doorkeeper_knows_how_it_stands(clients: ExitStack) -> None:
    doorkeeper = Doorkeeper()
    listener = await listen("127.0.0.1", 0, Counting, doorkeeper)
    connect(clients, listener.port, 40)
    await until(lambda: Counting.made == 40)
    assert doorkeeper.told == [False, False, True]
    listener.close()


@pytest.mark.parametrize("turns", [1, 2])
async def test_whole_turns_leave_nobody(clients: ExitStack, turns: int) -> None:
    doorkeeper = Doorkeeper()
    listener = await listen("127.0.0.1", 0, Counting, doorkeeper)
    connect(clients, listener.port, turns * listening._TURN)
    await until(lambda: Counting.made == turns * listening._TURN)
    assert doorkeeper.told == [False] * (turns - 1) + [True]
    listener.close()


async def test_those_who_are_turned_away_take_nobody_s_place(clients: ExitStack) -> None:
    doorkeeper = Doorkeeper()
    doorkeeper.strict = True
    listener = await listen("127.0.0.1", 0, Counting, doorkeeper)
    connect(clients, listener.port, 40)
    await until(lambda: doorkeeper.told)
    assert (doorkeeper.told, doorkeeper.away, Counting.made) == ([True], 40, 0)
    listener.close()


async def test_who_waits_when_it_is_closed_is_still_taken(clients: ExitStack) -> None:
    listener = await listen("127.0.0.1", 0, Counting, Doorkeeper())
    connect(clients, port := listener.port, 40)
    listener.close()
    listener.close()
    await until(lambda: Counting.made == 40)
    with pytest.raises(ConnectionRefusedError):
        connect(clients, port, 1)


class Full(socket.socket):
    """Of a system that has no descriptor left, twice."""

    left = 2

    def accept(self) -> tuple[socket.socket, Any]:
        if self.left:
            self.left -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_a_descriptor_they_wait(clients: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_PAUSE_S", 0.0)
    full = Full()
    full.bind(("127.0.0.1", 0))
    full.listen()
    full.setblocking(False)
    listener = Listener(Counting, Doorkeeper(), [full])
    connect(clients, listener.port, 3)
    await until(lambda: Counting.made == 3)
    listener.close()


async def test_a_port_that_is_taken_is_said() -> None:
    listener = await listen("127.0.0.1", 0, Counting, Doorkeeper())
    with pytest.raises(OSError, match="in use"):
        await listen("127.0.0.1", listener.port, Counting, Doorkeeper())
    listener.close()
