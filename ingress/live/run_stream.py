"""What happens in one run: first what has happened, from the history and Kafka, then what does."""

import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack, aclosing
from time import monotonic, time

from ingress.errors import NotFound, Unavailable
from ingress.live.changes import NODES, RUNS, Change, Event, Places
from ingress.live.gathering import PATIENCE_S, Sent
from ingress.live.listener import Ending, Listener
from ingress.live.past import Past
from ingress.live.story import Story
from ingress.live.tail import Tail
from ingress.live.told import Told
from transport.errors import BrokerUnreachable
from transport.partitions import partition_of

_log = logging.getLogger(__name__)

_APPEARS_S = 3.0
"""How long a run that nobody knows is waited for: who has just started it may be faster than it is."""
_LOOK_AGAIN_S = 15.0
_LATE_S = 60.0
"""What a run that ended longer ago lacks, it lacks for good."""
_FAR = 20_000
"""Records of a partition that the history lacks. Of more, only the last hour is looked through."""
_HOUR_S = 3600.0

NEVER_BEGAN = Ending("never_began", "the run that was waited for will not begin")


class RunStream:
    """Of one reader. `open`, then `more` until it `is_over`, then `close`."""

    def __init__(
        self, tail: Tail, past: Past, *, run_id: str, tenant_id: str, told: Told, max_bytes: int
    ) -> None:
        """`run_id`: a UUID in its usual form. `told`: what the reader has been told before."""
        self.listener = Listener(run_id.encode(), max_bytes)
        self._tail = tail
        self._past = past
        self._run_id = run_id
        self._tenant_id = tenant_id
        self._told = told
        self._story = Story(told.copy())
        self._is_known = False
        self._is_behind = True
        self._due: float | None = None
        self._look_at = monotonic() + _LOOK_AGAIN_S
        self._stack = AsyncExitStack()

    @property
    def id(self) -> str:
        """Of the event that was given last; empty before the first."""
        return str(self._told) if self._told.mark() != (0, 0) else ""

    @property
    def is_over(self) -> bool:
        """Whether the end of the run has been given."""
        return self._told.ended

    async def open(self) -> list[Sent]:
        """What is to be told at once: what the history has. Raises `NotFound`, `TransportError`."""
        sent = self._take(await self._past.changes(self._run_id, self._tenant_id))
        if self._has_ended_long_ago():
            sent += self._release()
        if not self._is_known:
            sent += await self._catch_up()
        if not self._is_known:
            sent += await self._appear()
        return sent

    async def more(self, timeout_s: float) -> list[Sent]:
        """What happens next; nothing after so long. Raises `TransportError`."""
        if self._is_behind:
            return await self._catch_up()
        now = monotonic()
        if self._due is not None:
            timeout_s = max(0.0, min(timeout_s, self._due - now))
        sent = self._take(await self.listener.get(timeout_s))
        now = monotonic()
        if self._due is not None and self._due <= now:
            sent += self._release()
        if not self._told.mark().phase and self._look_at <= now:
            self._look_at = now + _LOOK_AGAIN_S
            if not await self._past.is_awaited(self._run_id, self._tenant_id):
                self.listener.end(NEVER_BEGAN)
        return sent

    async def close(self) -> None:
        """Whatever has been opened."""
        self._tail.leave(self.listener)
        await self._stack.aclose()

    async def _catch_up(self) -> list[Sent]:
        """Joins those who follow, and closes the gap before: what the sinks have written by now is in the
        history, which is read after they were asked, and all else is in Kafka."""
        self._is_behind = False
        await self._stack.enter_async_context(self._tail.using())
        key = self._run_id.encode()
        places = await self._tail.places(
            RUNS, NODES, partition=partition_of(key, await self._tail.partitions())
        )
        ends = await self._tail.join(self.listener, places)
        begins = await self._not_written(ends)
        sent = self._take(await self._past.changes(self._run_id, self._tenant_id))
        async with aclosing(self._tail.read(begins, ends, key)) as read:
            async for changes in read:
                sent += self._take(changes)
        return sent

    async def _not_written(self, ends: Places) -> Places:
        try:
            written = await self._tail.written(ends)
        except BrokerUnreachable as unknown:
            # The group of the sinks is moving. Without its word more is read, and told once all the same.
            _log.info("following run %s from further back: %s", self._run_id, unknown)
            written = {}
        begins = {place: min(written.get(place, 0), end) for place, end in ends.items()}
        far = [place for place, begin in begins.items() if ends[place] - begin > _FAR]
        if far:
            recent = await self._tail.since(far, time() - _HOUR_S)
            begins |= {place: max(begins[place], min(recent[place], ends[place])) for place in far}
        return begins

    async def _appear(self) -> list[Sent]:
        until = monotonic() + _APPEARS_S
        sent: list[Sent] = []
        while not self._is_known and self.listener.ending is None and (left := until - monotonic()) > 0:
            sent += await self.more(left)
        if self.listener.ending is not None:
            raise Unavailable(self.listener.ending.detail)
        if not self._is_known and not await self._past.is_awaited(self._run_id, self._tenant_id):
            raise NotFound(f"no run has the id {self._run_id}")
        return sent

    def _take(self, changes: Iterable[Change]) -> list[Sent]:
        sent: list[Sent] = []
        for change in changes:
            if change.record["tenant_id"] == self._tenant_id:
                self._is_known = True
                sent += self._sent(self._story.take(change))
        if not self._story.is_waiting:
            self._due = None
        elif self._due is None:
            self._due = monotonic() + PATIENCE_S
        return sent

    def _release(self) -> list[Sent]:
        self._due = None
        return self._sent(self._story.release())

    def _sent(self, events: Iterable[Event]) -> list[Sent]:
        sent = []
        for event in events:
            self._told.add(event)
            sent.append(Sent(event, str(self._told)))
        return sent

    def _has_ended_long_ago(self) -> bool:
        ended_at = self._story.ended_at_us
        return ended_at is not None and ended_at / 1e6 < time() - _LATE_S
