"""Records between Kafka and ClickHouse: read, not yet written, not yet committed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import Message

from sinks.settings import SinkSettings
from transport.definitions import WORKFLOWS

PROMPT = ("runs", "node.executions", "knowledge.chunks", "knowledge.documents", "dead.letters", WORKFLOWS)
PATIENT = ("trigger.events", "trigger.logs")
"""Written apart from the rest and less often, since nobody waits for them: with little to do, the number of
inserts is what a sink costs."""

_URGENT = frozenset({"runs", "knowledge.documents", "dead.letters", WORKFLOWS})
"""What somebody waits for. Node executions go with their run."""

_RUNNING = b"\x0eRUNNING"
"""The status as Avro writes it, length first. A run is waited for when it ends: writing its start at once
would double the inserts. Text like this in the inputs of a run only makes it wait for `batch_age_s`."""

_RATE_S = 1e-4
"""What each row a second adds to the distance of the next batch. An insert costs as much as a thousand rows
do, however few its own; with four times as many, it and the merges behind it cost half as much for each."""

_TOGETHER_MS = 1
"""How far apart the timestamps are of what a worker sends at once, as a rule."""


class Partition(NamedTuple):
    """`topic` is the registry's name."""

    topic: str
    number: int


@dataclass(slots=True)
class Batch:
    """Grows while records are read, is written whole, then starts again. Not for two threads at a time."""

    settings: SinkSettings
    messages: dict[str, list[Message]] = field(default_factory=dict)
    """Registry name of the topic -> its records, in the order of each partition."""
    offsets: dict[Partition, int] = field(default_factory=dict)
    """Where each partition goes on after this batch: what to commit once it is written."""
    rows: int = 0
    bytes: int = 0
    _oldest: float = math.inf
    _oldest_urgent: float = math.inf
    _started: float = -math.inf
    _distance_s: float = 0.0

    def add(self, topic: str, messages: Iterable[Message], now: float) -> None:
        """`now` is any clock that does not run backwards, in seconds."""
        rows = self.messages.setdefault(topic, [])
        before = len(rows)
        urgent = False
        for message in messages:
            rows.append(message)
            self.bytes += len(message)
            self.offsets[Partition(topic, message.partition() or 0)] = (message.offset() or 0) + 1
            urgent = urgent or (topic in _URGENT and _is_told(message))
        self.rows += len(rows) - before
        self._oldest = min(self._oldest, now)
        if urgent:
            self._oldest_urgent = min(self._oldest_urgent, now)

    def drop(self, lost: Partition) -> None:
        """Forgets a partition that is another sink's now, which reads its records again."""
        if self.offsets.pop(lost, None) is None:
            return
        rows = self.messages[lost.topic]
        kept = [message for message in rows if message.partition() != lost.number]
        self.rows -= len(rows) - len(kept)
        self.bytes -= sum(map(len, rows)) - sum(map(len, kept))
        self.messages[lost.topic] = kept

    def move(self, topics: Iterable[str], to: "Batch") -> None:
        """Hands topics over, with all that is known of them. `to` is no batch that becomes due."""
        for topic in topics:
            rows = self.messages.pop(topic, [])
            to.messages.setdefault(topic, []).extend(rows)
            size = sum(map(len, rows))
            self.rows, self.bytes = self.rows - len(rows), self.bytes - size
            to.rows, to.bytes = to.rows + len(rows), to.bytes + size
            for partition in [one for one in self.offsets if one.topic == topic]:
                to.offsets[partition] = self.offsets.pop(partition)

    def due_in(self, now: float) -> float:
        """Seconds until it should be written; infinite while there is nothing, 0 or less when it is time."""
        if not self.rows:
            return math.inf
        if self.rows >= self.settings.batch_rows or self.bytes >= self.settings.batch_bytes:
            return 0.0
        wanted = min(self._settled(), self._oldest + self.settings.batch_age_s)
        return max(wanted, self._allowed) - now

    @property
    def urgent(self) -> bool:
        """Whether it has something that somebody waits for, and nothing can make it due any sooner."""
        return self._oldest_urgent < math.inf and self._settled() <= self._allowed

    @property
    def _allowed(self) -> float:
        return self._started + self._distance_s

    def _settled(self) -> float:
        """When it waits for nothing any more. Under load that is before it may be written anyway, and its
        records need not be looked at."""
        latest = self._oldest_urgent + self.settings.batch_settle_s
        return self._allowed if self._allowed < latest < math.inf and self._is_whole() else latest

    def _is_whole(self) -> bool:
        """Whether the nodes that ended with a run are here, for each run that has ended: those that were sent
        with it, and not only nodes of the hops before."""
        sent = {message.key(): _sent_ms(message) for message in self.messages.get("node.executions", ())}
        ended = [message for message in self.messages.get("runs", ()) if _is_told(message)]
        return all(sent.get(one.key(), -math.inf) >= _sent_ms(one) - _TOGETHER_MS for one in ended)

    def _next_distance(self, since_s: float) -> float:
        """Of the batch after this one, which has collected its rows in `since_s`."""
        settings = self.settings
        busy = self.rows / since_s * _RATE_S if since_s > 0 else 0.0
        return max(settings.batch_interval_s, min(settings.batch_distance_s, busy))

    def start_again(self, started: float) -> None:
        """Empties it once it is written; `started` is when writing began."""
        self._distance_s = self._next_distance(started - self._started)
        self.messages.clear()
        self.offsets.clear()
        self.rows = self.bytes = 0
        self._oldest = self._oldest_urgent = math.inf
        self._started = started


def _is_told(message: Message) -> bool:
    """Whether somebody waits for a record of `_URGENT`."""
    return _RUNNING not in (message.value() or b"")


def _sent_ms(message: Message) -> int:
    sent_ms: int = message.timestamp()[1]
    return sent_ms
