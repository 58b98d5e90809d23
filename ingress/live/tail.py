"""What an ingress reads of Kafka for live streams: nothing while there are none."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from ingress.live.changes import RUNS, Change, Place, Places
from ingress.live.follower import Follower, consumer_settings
from ingress.live.listener import Listener
from ingress.live.stretch import Stretch
from schemas.codec import Codec
from transport.admin import offsets_of
from transport.client_log import client_log
from transport.committed import CommittedOffsets
from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

SINKS = "sink"
"""Their consumer group, without the prefix: what it has committed is in the history."""

_LINGER_S = 10.0
"""How long the connections stay when the last stream has ended: its reader may come back."""
_TIMEOUT_S = 10.0
_AT_ONCE = 500
"""Records that are given together: whoever takes them keeps the loop from all else meanwhile."""
_STRETCHES = 4
"""Readers that catch up at a time."""

_T = TypeVar("_T")


class _Session:
    """The clients of one time that somebody listens; all but the follower are used in one further thread."""

    def __init__(self, settings: KafkaSettings, codec: Codec) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "live-asking")
        self._admin = AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 2})
        self._committed = CommittedOffsets(settings, settings.full_name(SINKS))
        self.follower = Follower(settings, codec, self.ends)

    def ends(self, places: Collection[Place]) -> Places:
        """Blocks. Raises `KafkaException`."""
        return self.offsets(places, OffsetSpec.latest())

    def firsts(self, places: Collection[Place]) -> Places:
        """Blocks. Raises `KafkaException`."""
        return self.offsets(places, OffsetSpec.earliest())

    def offsets(self, places: Collection[Place], spec: OffsetSpec) -> Places:
        """Blocks. Raises `KafkaException`."""
        found = offsets_of(self._admin, [self._partition(place) for place in places], spec)
        return {Place(self._settings.short_name(t), p): offset for (t, p), offset in found.items()}

    def written(self, places: Collection[Place]) -> Places:
        """Blocks. Raises `KafkaException`."""
        committed = self._committed.of([self._partition(place) for place in places], _TIMEOUT_S)
        return {Place(self._settings.short_name(t), p): one.offset for (t, p), one in committed.items()}

    def partitions(self) -> int:
        """Blocks. Raises `KafkaException`."""
        name = self._settings.full_name(RUNS)
        return len(self._admin.list_topics(name, timeout=_TIMEOUT_S).topics[name].partitions)

    async def ask(self, question: Callable[..., _T], *args: object) -> _T:
        """In the thread. Raises `BrokerUnreachable`."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, question, *args)
        except (KafkaException, TimeoutError) as failed:
            reason = failed.args[0].str() if isinstance(failed, KafkaException) else "it does not answer"
            raise BrokerUnreachable(f"Kafka cannot be asked what happens: {reason}") from failed

    async def close(self) -> None:
        await self.follower.close()
        await asyncio.to_thread(self._committed.close)
        self._thread.shutdown(wait=False)

    def _partition(self, place: Place) -> TopicPartition:
        return TopicPartition(self._settings.full_name(place.topic), place.partition)


class Tail:
    """Shared by all streams of an ingress, each of which is `using` it. Methods raise `BrokerUnreachable`."""

    def __init__(self, settings: KafkaSettings, codec: Codec) -> None:
        self._settings = settings
        self._codec = codec
        self._users = 0
        self._session: _Session | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._closed: set[asyncio.Task[None]] = set()
        self._stretches = asyncio.Semaphore(_STRETCHES)
        self._partitions = 0

    @asynccontextmanager
    async def using(self) -> AsyncIterator[None]:
        """Everything else is called inside of it."""
        self._users += 1
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._session is None:
            self._session = _Session(self._settings, self._codec)
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._closing = asyncio.get_running_loop().call_later(_LINGER_S, self._close_later)

    async def close(self) -> None:
        """For good. Whoever listens still is given nothing any more."""
        if self._closing is not None:
            self._closing.cancel()
        self._close_later()
        await asyncio.gather(*self._closed)

    async def places(self, *topics: str, partition: int | None = None) -> list[Place]:
        """All partitions of these topics, or the one of that number in each."""
        if not self._partitions:
            self._partitions = await self._here.ask(self._here.partitions)
        numbers = range(self._partitions) if partition is None else (partition,)
        return [Place(topic, number) for topic in topics for number in numbers]

    async def partitions(self) -> int:
        """Of each topic."""
        return len(await self.places(RUNS))

    async def ends(self, places: Collection[Place]) -> Places:
        """The offsets that the next records will get."""
        return await self._here.ask(self._here.ends, places)

    async def firsts(self, places: Collection[Place]) -> Places:
        """The first offsets that there are."""
        return await self._here.ask(self._here.firsts, places)

    async def written(self, places: Collection[Place]) -> Places:
        """What comes before these offsets is in the history. Partitions of which nothing is are left out."""
        return await self._here.ask(self._here.written, places)

    async def since(self, places: Collection[Place], unix_s: float) -> Places:
        """The first offsets with that time or a later one."""
        at = OffsetSpec.for_timestamp(int(unix_s * 1000))
        found = await self._here.ask(self._here.offsets, places, at)
        ends = await self.ends([place for place, offset in found.items() if offset < 0])
        return {**found, **ends}

    async def join(self, listener: Listener, places: Collection[Place]) -> Places:
        """From these offsets on the listener is given everything, until it leaves."""
        return await self._here.follower.join(listener, places)

    def leave(self, listener: Listener) -> None:
        """Harmless for one who has not joined."""
        if self._session is not None:
            self._session.follower.leave(listener)

    async def read(
        self, begins: Places, ends: Places, key: bytes | None = None
    ) -> AsyncGenerator[list[Change]]:
        """What lies between, of each partition in order and of all of them by time, for a reader who comes
        late."""
        todo = {place: end for place, end in ends.items() if begins[place] < end}
        if not todo:
            return
        async with self._stretches:
            consumer = Consumer(
                {
                    **consumer_settings(self._settings),
                    "auto.offset.reset": "earliest",
                    "enable.partition.eof": True,
                },
                logger=client_log(__name__),
            )
            try:
                stretch = Stretch(consumer, self._settings, self._codec, begins=begins, ends=todo, key=key)
                patience = monotonic() + _TIMEOUT_S
                while not stretch.is_through:
                    count, changes = await asyncio.to_thread(stretch.read)
                    if count:
                        patience = monotonic() + _TIMEOUT_S
                    elif monotonic() > patience:
                        raise BrokerUnreachable(f"Kafka has not answered within {_TIMEOUT_S:g} s")
                    for begin in range(0, len(changes), _AT_ONCE):
                        yield changes[begin : begin + _AT_ONCE]
            finally:
                await asyncio.to_thread(consumer.close)

    @property
    def _here(self) -> _Session:
        assert self._session is not None, "inside of `using` only"
        return self._session

    def _close_later(self) -> None:
        session, self._session, self._closing = self._session, None, None
        if session is not None:
            task = asyncio.ensure_future(session.close())
            self._closed.add(task)
            task.add_done_callback(self._closed.discard)
