"""What a watcher is given, with lists in the place of the broker."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from schemas.models import AppTrigger
from schemas.triggers.config import TriggerConfig
from streams.sources.events import SourceEvent
from streams.sources.watching import SourceKind, Watch
from transport.producer import Send


@dataclass
class Watched:
    """One source and what came of it; watched again and again, as after crashes."""

    settings: TriggerConfig
    position: Mapping[str, Any] | None = None
    since_s: float = 0.0
    slot: int = 0
    status: str = "ACTIVE"
    events: list[SourceEvent] = field(default_factory=list)
    sent: list[Send] = field(default_factory=list)
    worked: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self) -> Watch:
        """What the watcher is given."""
        kind = type(self.settings).type
        trigger = AppTrigger(
            id="t1", app_id="a", workflow_id="w", type=kind, config={}, status=self.status, tenant_id="tenant"
        )
        return Watch(
            trigger=trigger,
            slot=self.slot, settings=self.settings, position=self.position, since_s=self.since_s,
            publish=self._publish, keep=self._keep, send=self._send, works=self._works, news=self._news,
        )  # fmt: skip

    @asynccontextmanager
    async def by(self, kind: SourceKind) -> AsyncIterator["asyncio.Task[None]"]:
        """While a watcher goes on; its failure fails the test."""
        task = asyncio.create_task(kind.watch(self.watch()))
        self._task = task
        try:
            yield task
            if task.done():
                task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, count: int) -> list[SourceEvent]:
        """As soon as there are so many events, and the position behind them is kept."""
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self._raise()
                await self._next()
        return self.events

    async def at_rest(self) -> None:
        """When the source has answered once more from now on."""
        before = self.worked
        async with asyncio.timeout(20):
            while self.worked == before:
                self._raise()
                await self._next()

    def _raise(self) -> None:
        if self._task.done():
            self._task.result()

    async def _next(self) -> None:
        self.changed.clear()
        done = asyncio.ensure_future(self.changed.wait())
        await asyncio.wait({done, self._task}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()

    async def _publish(self, events: Sequence[SourceEvent]) -> None:
        self.events.extend(events)
        self.changed.set()

    async def _keep(self, position: Mapping[str, Any]) -> None:
        self.position = position
        self.changed.set()

    async def _send(self, sends: Sequence[Send]) -> None:
        self.sent.extend(sends)
        self.changed.set()

    def _works(self) -> None:
        self.worked += 1
        self.changed.set()

    async def _news(self, timeout_s: float) -> None:
        await self.news.wait()
        self.news.clear()
