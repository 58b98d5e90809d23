"""What waits for one reader: bounded, so that one who does not read costs no more than that."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from ingress.live.changes import Change

_OVERHEAD_BYTES = 1024
"""Of a record beside its value, as objects in memory."""


class Ending(NamedTuple):
    """Why the server ends a stream."""

    reason: str
    """slow_reader, draining, refused, records_lost, never_began or failed."""
    detail: str


SLOW_READER = Ending(
    "slow_reader", "it was read more slowly than things happen; come back with Last-Event-ID"
)
DRAINING = Ending("draining", "this server is about to stop; come back with Last-Event-ID")
LOST = Ending("records_lost", "Kafka has no longer what comes next; come back with Last-Event-ID")
FAILED = Ending("failed", "this server cannot follow what happens; come back with Last-Event-ID")


class Listener:
    """Used on the loop's thread, but for `key`."""

    def __init__(self, key: bytes | None, max_bytes: int) -> None:
        """`key`: of the records that are wanted, the id of a run; None for all."""
        self.key = key
        self.ending: Ending | None = None
        self._max_bytes = max_bytes
        self._waiting: list[Change] = []
        self._bytes = 0
        self._something = asyncio.Event()
        self._writing: asyncio.Timeout | None = None

    def give(self, changes: Sequence[Change]) -> None:
        """In the order of each partition. A single record is taken whatever its size."""
        if self.ending is not None:
            return
        size = sum(change.size + _OVERHEAD_BYTES for change in changes)
        if self._waiting and self._bytes + size > self._max_bytes:
            self.end(SLOW_READER)
            return
        self._waiting += changes
        self._bytes += size
        self._something.set()

    def end(self, ending: Ending) -> None:
        """Forgets what waits, and wakes whoever does. The first reason stays."""
        self.ending = self.ending or ending
        self._waiting, self._bytes = [], 0
        self._something.set()
        if self._writing is not None:
            self._writing.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def writing(self, timeout_s: float) -> AsyncIterator[None]:
        """What its reader is to take meanwhile is left to the connection when the stream is to end. Raises
        `TimeoutError` after so long."""
        try:
            async with asyncio.timeout(timeout_s) as self._writing:
                yield
        except TimeoutError:
            if self.ending is None:
                raise
        finally:
            self._writing = None

    async def get(self, timeout_s: float) -> list[Change]:
        """All that waits; nothing after so long, or when the stream is to end."""
        if not self._something.is_set() and timeout_s > 0:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._something.wait()
            except TimeoutError:
                return []
        self._something.clear()
        taken, self._waiting, self._bytes = self._waiting, [], 0
        return taken
