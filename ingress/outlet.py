"""Where events go: to the broker, and while that is away to the spool, from which they follow in order."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingress.spool import Spool, SpoolFull
from transport.errors import SendFailed
from transport.producer import Producer, Send

_log = logging.getLogger(__name__)

_REPLAYED = 500
"""Messages of the spool that are under way to the broker at a time."""
_AGAIN_S = 1.0
"""Between attempts while the broker is away."""


class Outlet:
    """The one way for events out of this process."""

    def __init__(self, producer: Producer, spool: Spool | None) -> None:
        self._producer = producer
        self._spool = spool
        self._waiting: list[tuple[Send, asyncio.Future[None]]] = []
        self._there = asyncio.Event()
        """Something is to be written, or to be sent from the spool."""
        self._disk = asyncio.Lock()

    async def send(self, send: Send) -> None:
        """Returns once the broker has it, or the disk. Raises `SendFailed` where neither does.

        While there is anything in the spool, what comes later goes behind it.
        """
        if self._spool is None:
            await self._producer.send(send)
            return
        if not self._spool.records and not self._waiting:
            try:
                await self._producer.send(send)
                return
            except SendFailed as failed:
                _log.warning("the broker is away, events go to the spool: %s", failed)
        await self._keep(send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Outlet"]:
        """Writes and replays until it is left; what is in the spool then stays for the next time."""
        if self._spool is None:
            yield self
            return
        writing = asyncio.create_task(self._write(self._spool))
        replaying = asyncio.create_task(self._replay(self._spool))
        try:
            yield self
        finally:
            for task in (writing, replaying):
                task.cancel()
            await asyncio.gather(writing, replaying, return_exceptions=True)
            self._spool.close()

    @property
    def has_room(self) -> bool:
        """Whether an event is kept while the broker is away."""
        return self._spool is not None and self._spool.has_room

    @property
    def spooled(self) -> int:
        """Events that the broker does not have yet."""
        return self._spool.records if self._spool else 0

    @property
    def spooled_bytes(self) -> int:
        """What they take on the disk."""
        return self._spool.size if self._spool else 0

    async def _keep(self, send: Send) -> None:
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((send, kept))
        self._there.set()
        await kept

    async def _write(self, spool: Spool) -> None:
        """All that waits, with one sync for them."""
        while True:
            await self._there.wait()
            self._there.clear()
            batch = list(self._waiting)
            if not batch:
                continue
            failed: SendFailed | None = None
            async with self._disk:
                try:
                    await asyncio.to_thread(spool.append, [send for send, _ in batch])
                except Exception as refused:
                    # Whatever it is: nobody may wait for ever, and the next batch may fare better.
                    if not isinstance(refused, SpoolFull):
                        _log.exception("the spool has failed")
                    failed = SendFailed(str(refused))
            del self._waiting[: len(batch)]
            for _, kept in batch:
                if kept.done():
                    continue
                if failed is None:
                    kept.set_result(None)
                else:
                    kept.set_exception(failed)

    async def _replay(self, spool: Spool) -> None:
        while True:
            if not spool.records:
                await asyncio.sleep(_AGAIN_S / 10)
                continue
            try:
                await self._replay_some(spool)
            except SendFailed:
                await asyncio.sleep(_AGAIN_S)
                continue
            except OSError as refused:
                _log.error("the spool cannot be read, %d events wait in it: %s", spool.records, refused)
                await asyncio.sleep(_AGAIN_S)
                continue
            except Exception:  # or the spool would stay as it is, and nobody would know
                _log.exception("%d events wait in the spool", spool.records)
                await asyncio.sleep(_AGAIN_S)
                continue
            if not spool.records:
                _log.warning("the broker is back, and has all events of the spool")

    async def _replay_some(self, spool: Spool) -> None:
        async with self._disk:
            sends = await asyncio.to_thread(spool.peek, _REPLAYED)
        await self._producer.send_all(sends)
        async with self._disk:
            await asyncio.to_thread(spool.sent, len(sends))
