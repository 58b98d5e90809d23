"""One change at a time to things that are changed together: each is made of what the one before has left.

Whose turn it is, of all requests to all ingresses, is decided by the order of the topic `turns`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from weakref import WeakValueDictionary

from confluent_kafka import Message

from ingress.errors import Conflict, Unavailable
from schemas.codec import Codec
from schemas.errors import UndecodableValue
from schemas.ids import new_id
from transport.errors import SendFailed, TransportError
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send

TOPIC = "turns"

_TURN_S = 120.0
"""To wait, and to do everything: providers may be asked in a turn, and have half a minute for each answer."""
_WAIT_S = 30.0
_RETRY_S = 5

_log = logging.getLogger(__name__)


class Line:
    """Who waits for a turn, the first of each place having it: what the topic says, as far as it was read."""

    def __init__(self, codec: Codec, now: Callable[[], float] = time.monotonic) -> None:
        self._codec = codec
        self._now = now
        self._waiting: dict[str, dict[str, float]] = {}
        """Place -> turn -> when it is over in any case, in the order of the topic."""

    def read(self, message: Message) -> None:
        """The next record of the topic."""
        try:
            record = self._codec.decode("Turn", message.value())
        except UndecodableValue as unreadable:
            _log.error("turn at offset %s is unreadable: %s", message.offset(), unreadable)
            return
        place, turn_id = record["place"], record["turn_id"]
        if record["lasts_ms"]:
            until = self._now() + record["lasts_ms"] / 1000
            self._waiting.setdefault(place, {})[turn_id] = until
        else:
            self._remove(place, turn_id)

    def ahead_s(self, place: str, turn_id: str) -> float | None:
        """How long the turn waits at most for the one that has it now; None where that is itself. Raises
        `TimeoutError` where it is over already."""
        now = self._now()
        for first_id, until in list(self._waiting.get(place, {}).items()):
            if now < until:
                return None if first_id == turn_id else until - now
            _log.warning("the turn %s of %s is over: nobody has ended it", first_id, place)
            self._remove(place, first_id)
        raise TimeoutError

    def _remove(self, place: str, turn_id: str) -> None:
        waiting = self._waiting.get(place, {})
        waiting.pop(turn_id, None)
        if not waiting:
            self._waiting.pop(place, None)


class Turns:
    """Of the requests to this ingress, among those to all."""

    def __init__(
        self,
        line: Line,
        feed: DefinitionsFeed,
        producer: Producer,
        codec: Codec,
        *,
        timeout_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`feed` lets `line` read. `timeout_s`: how long `producer` tries."""
        self._line = line
        self._feed = feed
        self._producer = producer
        self._codec = codec
        self._timeout_s = timeout_s
        self._lasts_s = _TURN_S + timeout_s
        self._now = now
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._ending: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, place: str) -> AsyncIterator[None]:
        """`place` is the id of a subscription or an OAuth client, that of a workflow with all that starts it,
        or a kind of thing of a tenant.

        To be held from reading what there is to having written what is to be; not again by who holds it.
        Raises `Unavailable` where others take long, `SendFailed`, `BrokerUnreachable`, `TimeoutError`; and
        `Conflict` at the end where others did not wait for it.
        """
        # Those of this ingress wait for each other here: it is quicker.
        async with self._locks.setdefault(place, asyncio.Lock()):
            # Others count from when they have read of it, which is later than this.
            turn_id, begun, pause_s = new_id(), self._now(), 0.0
            try:
                async with asyncio.timeout(_TURN_S):
                    await self._begin(place, turn_id)
                    yield
                if self._now() - begun > self._lasts_s:
                    raise Conflict(
                        "this process stood still in the middle of it, and may have undone what somebody "
                        "else has changed meanwhile; look at what there is now"
                    )
            except (asyncio.CancelledError, TimeoutError, TransportError):
                # What was begun may yet be written.
                pause_s = self._timeout_s
                raise
            finally:
                ending = asyncio.create_task(self._end(place, turn_id, pause_s))
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def _begin(self, place: str, turn_id: str) -> None:
        sent = await self._producer.send(self._record(place, turn_id, self._lasts_s))
        await self._feed.reach(TOPIC, sent.offset + 1)
        try:
            async with asyncio.timeout(_WAIT_S):
                while (ahead_s := self._line.ahead_s(place, turn_id)) is not None:
                    with suppress(TimeoutError):
                        await self._feed.news(TOPIC, ahead_s)
        except TimeoutError:
            raise Unavailable("another change of this takes long; send it again", _RETRY_S) from None
        await self._feed.catch_up()

    async def _end(self, place: str, turn_id: str, pause_s: float) -> None:
        over = self._now() + self._lasts_s
        while self._now() < over:
            await asyncio.sleep(pause_s)
            with suppress(SendFailed):
                await self._producer.send(self._record(place, turn_id, 0))
                return
            pause_s = self._timeout_s

    def _record(self, place: str, turn_id: str, lasts_s: float) -> Send:
        record = {"place": place, "turn_id": turn_id, "lasts_ms": round(lasts_s * 1000)}
        return Send(TOPIC, place.encode(), self._codec.encode("Turn", record))
