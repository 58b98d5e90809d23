"""Sends events at a steady pace and insists on each, wherever it finds an ingress that answers."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable

from bench.chaos.doors import Doors, NoAnswer
from bench.chaos.events import Event
from bench.chaos.installation import Installed
from bench.chaos.requests import request_of
from bench.journal import Journal
from bench.traffic import NotAccepted

_AGAIN_S = 0.3
_GIVE_UP_S = 180.0
_UNDER_WAY = 500
"""Events that are not acknowledged yet. More wait: a producer holds back while nobody takes anything."""


class Producer:
    """Belongs to one run of the suite."""

    def __init__(self, doors: Doors, installed: Installed, journal: Journal, seed: int) -> None:
        self._doors = doors
        self._installed = installed
        self._journal = journal
        self._chance = random.Random(f"doors {seed}")
        self._free = asyncio.Semaphore(_UNDER_WAY)
        self.odd: Counter[str] = Counter()
        """Refusals that no outage excuses, by kind of event and status."""

    async def post(
        self, events: Iterable[Event], per_s: float, on_acknowledged: Callable[[Event], None]
    ) -> None:
        """Returns when all are acknowledged, their repeats as well. Raises `NotAccepted`."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, event in enumerate(events):
                await asyncio.sleep(max(0.0, began + number / per_s - time.monotonic()))
                await self._free.acquire()
                group.create_task(self._first(event, on_acknowledged))
                if event.repeat_after_s is not None:
                    group.create_task(self._repeat(event, event.repeat_after_s))

    async def _first(self, event: Event, on_acknowledged: Callable[[Event], None]) -> None:
        try:
            await self._insist(event)
        finally:
            self._free.release()
        on_acknowledged(event)

    async def _repeat(self, event: Event, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await self._insist(event)

    async def _insist(self, event: Event) -> None:
        """The same delivery, at one ingress after the other, until it is acknowledged."""
        deadline, turn = time.monotonic() + _GIVE_UP_S, self._chance.randrange(1 << 16)
        while True:
            self._journal.sending((event.id,))
            reason = await self._try(event, turn)
            if reason is None:
                self._journal.accepted(event.id)
                return
            self._journal.refused(event.id, reason)
            if time.monotonic() > deadline:
                raise NotAccepted(f"{event.id} was not accepted in {_GIVE_UP_S:g} s: {reason}")
            turn += 1
            await asyncio.sleep(_AGAIN_S)

    async def _try(self, event: Event, turn: int) -> str | None:
        """None: it is acknowledged."""
        try:
            answer = await self._doors.send(request_of(event, self._installed), turn)
        except NoAnswer as lost:
            return str(lost)
        if answer.is_odd:
            self.odd[f"{event.kind.name} {answer.status} {answer.content[:200]!r}"] += 1
        return None if answer.is_good else f"status {answer.status}"
