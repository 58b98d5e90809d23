"""Where the processes of a deployment run: each is struck, and set up again as a supervisor does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.blows import Endable, set_up_again
from bench.progress import Say

_SUPERVISED_S = 0.5
"""How long a process stays down that has ended by itself."""
_BACK_TIMEOUT_S = 120.0

Damage = Callable[[], str]
"""What happens to the files of a process while it is down; says what it did. Blocks."""


class Struck(Endable, Protocol):
    """A process that can be struck: a `bench.fleet.Member`, or a broker."""

    @property
    def running(self) -> bool:
        """Whether its process lives."""

    async def kill(self) -> None:
        """SIGKILL."""

    async def stop(self) -> bool:
        """SIGTERM; whether it ended by itself in time."""

    def freeze(self) -> None:
        """SIGSTOP."""

    def thaw(self) -> None:
        """SIGCONT."""


class DidNotComeBack(Exception):
    """A process has not been started again in time; the message names it."""


@dataclass(frozen=True, slots=True)
class _Rest:
    seconds: float = _SUPERVISED_S
    damage: Damage | None = None
    by_us: bool = False


class Place:
    """One process, whichever instance of it. One blow at a time: the next waits until this one is over."""

    def __init__(self, process: Struck, say: Say) -> None:
        self.process = process
        self.deaths = 0
        """How often it has ended by itself."""
        self._say = say
        self._rest = _Rest()
        self._blow = asyncio.Lock()
        self._up = asyncio.Event()
        self._up.set()

    @property
    def name(self) -> str:
        """Of the process."""
        return self.process.name

    async def keep_up(self, over: asyncio.Event) -> None:
        """Starts the process each time it has ended, until it is over; then it is up."""
        await set_up_again(self, self._until_next, over, self._say)

    @property
    def exit_code(self) -> int | None:
        """Of the process that ran last; None while it runs."""
        return self.process.exit_code

    async def wait(self) -> int:
        """Until the process that runs now has ended."""
        return await self.process.wait()

    async def start(self) -> None:
        """Another one."""
        await self.process.start()
        self._up.set()

    async def kill(self, down_s: float, damage: Damage | None = None) -> None:
        """SIGKILL. Returns when it has been started again, `down_s` later. Raises `DidNotComeBack`."""
        async with self._blow:
            await self._until_up()
            self._down(down_s, damage)
            await self.process.kill()
            await self._until_up()

    async def terminate(self, down_s: float) -> bool:
        """SIGTERM, likewise. Whether it ended by itself in time."""
        async with self._blow:
            await self._until_up()
            self._down(down_s)
            in_time = await self.process.stop()
            if not in_time:
                self._say(f"{self.name} did not stop in time")
            await self._until_up()
            return in_time

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later. Raises `DidNotComeBack`."""
        async with self._blow:
            await self._until_up()
            self.process.freeze()
            try:
                await asyncio.sleep(seconds)
            finally:
                self.process.thaw()

    def _down(self, seconds: float, damage: Damage | None = None) -> None:
        self._rest = _Rest(seconds, damage, by_us=True)
        self._up.clear()

    async def _until_up(self) -> None:
        try:
            await asyncio.wait_for(self._up.wait(), _BACK_TIMEOUT_S)
        except TimeoutError as late:
            raise DidNotComeBack(f"{self.name} did not come back within {_BACK_TIMEOUT_S:g} s") from late

    async def _until_next(self) -> None:
        self._up.clear()
        rest, self._rest = self._rest, _Rest()
        self.deaths += not rest.by_us
        await asyncio.sleep(rest.seconds)
        if rest.damage is not None:
            self._say(f"{self.name}: {await asyncio.to_thread(rest.damage)}")
