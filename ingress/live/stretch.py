"""What lies between two offsets of each partition, read again for one who comes late."""

import logging
from math import inf

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from ingress.live.changes import Change, Place, Places
from ingress.live.follower import change_of
from ingress.live.merging import Merging
from schemas.codec import Codec
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

_POLL_S = 0.1
_AT_ONCE = 500


class Stretch:
    """Read by a consumer of its own, from one thread at a time."""

    def __init__(
        self,
        consumer: Consumer,
        settings: KafkaSettings,
        codec: Codec,
        *,
        begins: Places,
        ends: Places,
        key: bytes | None,
    ) -> None:
        """`begins` is before `ends` in each. `key`: of the records that are wanted; None for all."""
        self._consumer = consumer
        self._settings = settings
        self._codec = codec
        self._todo = dict(ends)
        self._key = key
        self._merging = Merging(ends)
        self._paused: set[Place] = set()
        consumer.assign([self._partition(place, begins[place]) for place in ends])

    @property
    def is_through(self) -> bool:
        """Whether all has been read."""
        return not self._todo

    def read(self) -> tuple[int, list[Change]]:
        """How many messages there were, and what can be told by now, in the order of time. Blocks for a
        moment."""
        first = self._consumer.poll(_POLL_S)
        messages = [] if first is None else [first, *self._consumer.consume(_AT_ONCE, 0)]
        for message in messages:
            self._take(message)
        changes = self._merging.take()
        self._hold(self._merging.ahead & self._todo.keys())
        return len(messages), changes

    def _take(self, message: Message) -> None:
        place = Place(self._settings.short_name(message.topic() or ""), message.partition() or 0)
        offset, end = message.offset() or 0, self._todo.get(place)
        if (error := message.error()) is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._through(place)
            else:
                _log.warning("reading again what has happened: %s", error.str())
            return
        if end is None:
            return
        is_wanted = offset < end and self._key in (None, message.key())
        change = change_of(message, self._settings, self._codec) if is_wanted else None
        self._merging.reach(place, message.timestamp()[1], change)
        if offset + 1 >= end:
            self._through(place)

    def _through(self, place: Place) -> None:
        if self._todo.pop(place, None) is not None:
            self._merging.reach(place, inf)

    def _hold(self, ahead: set[Place]) -> None:
        """Reads on only where the others are waited for: what is ahead would only take memory."""
        if resumed := self._paused - ahead:
            self._consumer.resume([self._partition(place) for place in resumed])
        if paused := ahead - self._paused:
            self._consumer.pause([self._partition(place) for place in paused])
        self._paused = ahead

    def _partition(self, place: Place, offset: int | None = None) -> TopicPartition:
        name = self._settings.full_name(place.topic)
        if offset is None:
            return TopicPartition(name, place.partition)
        return TopicPartition(name, place.partition, offset)
