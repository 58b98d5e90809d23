"""The one consumer of an ingress that follows what happens, for all who listen, in a thread of its own."""

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingress.live.changes import SCHEMAS, Change, Place, Places
from ingress.live.listener import FAILED, LOST, Listener
from schemas.codec import Codec
from schemas.errors import UndecodableValue
from transport.client_log import client_log
from transport.errors import BrokerUnreachable
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_POLL_S = 0.05
"""How soon somebody new is listened for."""
_AT_ONCE = 500
_UNDER_WAY = 8
"""Batches that the loop has not got to. More would only take memory."""

Ends = Callable[[Collection[Place]], Places]
"""Where partitions end. Blocks; raises `KafkaException`."""


def consumer_settings(settings: KafkaSettings) -> dict[str, str | int | bool]:
    """Of a consumer that is in no group."""
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        # No group is ever joined; librdkafka wants the name all the same.
        "group.id": settings.full_name("live"),
        "enable.auto.commit": False,
        # A fetch that finds nothing waits so long, and a partition that is added waits for it.
        "fetch.wait.max.ms": 50,
        "queued.max.messages.kbytes": 16 * 1024,
        "reconnect.backoff.ms": 200,
        "reconnect.backoff.max.ms": 2000,
        "log_level": 3,
    }


def change_of(message: Message, settings: KafkaSettings, codec: Codec) -> Change | None:
    """None for what cannot be decoded: whoever writes the history buries it."""
    topic, value = settings.short_name(message.topic() or ""), message.value()
    partition, offset = message.partition() or 0, message.offset() or 0
    try:
        record = codec.decode(SCHEMAS[topic], value)
    except UndecodableValue as unreadable:
        _log.warning("%s/%d/%d is told to nobody: %s", topic, partition, offset, unreadable)
        return None
    return Change(topic, partition, offset, record, len(value or b""))


class Follower:
    """Begins at the end of each partition that somebody wants, and stops when nobody wants it.

    Made and ended on the loop's thread; all else happens in its own.
    """

    def __init__(self, settings: KafkaSettings, codec: Codec, ends: Ends) -> None:
        self._settings = settings
        self._codec = codec
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        self._commands: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stopping = threading.Event()
        self._room = threading.Semaphore(_UNDER_WAY)
        self._next: Places = {}
        self._listeners: dict[Place, list[Listener]] = {}
        self._consumer = Consumer(
            {**consumer_settings(settings), "auto.offset.reset": "error"}, logger=client_log(__name__)
        )
        self._thread = threading.Thread(target=self._follow, name="live", daemon=True)
        self._thread.start()

    async def join(self, listener: Listener, places: Collection[Place]) -> Places:
        """From these offsets on the listener is given everything. Raises `BrokerUnreachable`."""
        if not self._thread.is_alive():
            raise BrokerUnreachable("nothing is followed any more; come back in a moment")
        joined: asyncio.Future[Places] = self._loop.create_future()
        self._commands.put(lambda: self._answer(joined, listener, places))
        return await joined

    def leave(self, listener: Listener) -> None:
        """It may be given something for a moment still."""
        self._commands.put(lambda: self._remove(listener))

    async def close(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        self._room.release()
        await asyncio.to_thread(self._thread.join)

    def _answer(
        self, joined: "asyncio.Future[Places]", listener: Listener, places: Collection[Place]
    ) -> None:
        try:
            begins = self._add(listener, places)
        except KafkaException as failed:
            error = BrokerUnreachable(f"cannot follow what happens: {failed.args[0].str()}")
            self._tell(lambda: None if joined.done() else joined.set_exception(error))
        else:
            self._tell(lambda: None if joined.done() else joined.set_result(begins))

    def _add(self, listener: Listener, places: Collection[Place]) -> Places:
        missing = [place for place in places if place not in self._next]
        if missing:
            ends = self._ends(missing)
            self._consumer.incremental_assign([self._partition(*one) for one in ends.items()])
            self._next |= ends
        for place in places:
            self._listeners.setdefault(place, []).append(listener)
        return {place: self._next[place] for place in places}

    def _remove(self, listener: Listener) -> None:
        for place, listeners in list(self._listeners.items()):
            with suppress(ValueError):
                listeners.remove(listener)
            if not listeners:
                del self._listeners[place]
                self._consumer.incremental_unassign([self._partition(place, self._next.pop(place))])

    def _partition(self, place: Place, offset: int) -> TopicPartition:
        return TopicPartition(self._settings.full_name(place.topic), place.partition, offset)

    def _follow(self) -> None:
        try:
            while not self._stopping.is_set():
                self._follow_on()
        except Exception:
            _log.exception("what happens is not followed any more")
            for listener in {one for listeners in self._listeners.values() for one in listeners}:
                self._tell(partial(listener.end, FAILED))
        finally:
            self._consumer.close()

    def _follow_on(self) -> None:
        while not self._commands.empty():
            self._commands.get()()
        first = self._consumer.poll(_POLL_S)
        if first is not None:
            # Whatever is there with it; waiting for more would only be waiting.
            self._dispatch((first, *self._consumer.consume(_AT_ONCE, 0)))

    def _dispatch(self, messages: Iterable[Message]) -> None:
        given: dict[Listener, list[Change]] = {}
        for message in messages:
            place = Place(self._settings.short_name(message.topic() or ""), message.partition() or 0)
            if (error := message.error()) is not None:
                self._failed(place, error)
                continue
            self._next[place] = (message.offset() or 0) + 1
            key = message.key()
            wanting = [one for one in self._listeners.get(place, ()) if one.key in (None, key)]
            change = change_of(message, self._settings, self._codec) if wanting else None
            if change is not None:
                for listener in wanting:
                    given.setdefault(listener, []).append(change)
        if given:
            self._room.acquire()
            self._tell(lambda: self._give(given))

    def _give(self, given: dict[Listener, list[Change]]) -> None:
        """On the loop's thread."""
        for listener, changes in given.items():
            listener.give(changes)
        self._room.release()

    def _failed(self, place: Place, error: KafkaError) -> None:
        if error.code() != KafkaError._AUTO_OFFSET_RESET:
            _log.warning("following what happens: %s", error.str())
            return
        for listener in self._listeners.get(place, ()):
            self._tell(partial(listener.end, LOST))

    def _tell(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # The loop is gone: nobody listens any more.
            self._loop.call_soon_threadsafe(callback)
