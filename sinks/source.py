"""The consumer of what a sink writes. Its calls block in librdkafka, so they run on a thread of their own."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sinks.batch import Batch, Partition
from transport.client_log import client_log
from transport.settings import KafkaSettings

log = logging.getLogger(__name__)

GROUP = "sink"
"""Without the prefix."""

_READ_AT_ONCE = 20_000
_COMMIT_INTERVAL_S = 0.2
_COMMIT_TIMEOUT_S = 1.0
_ANSWER_POLL_S = 0.02


class Source:
    """One member of the group `<prefix>sink`. Fills the batches, and forgets in them what was taken away.

    Rebalances happen inside `fill`, `read_ahead` and `keep_alive` only: what is taken away is then forgotten,
    also of a batch that is being written, so that it is not committed here.
    """

    def __init__(self, settings: KafkaSettings, batches: Mapping[str, Batch], stalled: Batch) -> None:
        """Reads the topics that `batches` has one for, by their registry names. `stalled` has what could not
        be written."""
        self._batches = batches
        self._topics = {settings.full_name(topic): topic for topic in batches}
        self._written: dict[Partition, int] = {}
        self._committed_at = 0.0
        self._stalled = stalled
        self._held: Set[str] = frozenset()
        self._paused: set[tuple[str, int]] | None = set()
        """Partitions that are not read. None: nobody knows."""
        self._early: list[Message] = []
        """Read while a batch was being written."""
        self.assigned: frozenset[tuple[str, int]] = frozenset()
        """What this member reads now, by full names."""
        self.is_member = False
        """Whether the group has told it what to read, be it nothing."""
        self._answered = False
        self._thread = ThreadPoolExecutor(1, "sink-consumer")
        self._consumer = Consumer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "group.id": settings.full_name(GROUP),
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                # Not cooperative-sticky: there librdkafka (2.16) forgets to leave the group when a member
                # ends without a partition yet, and the others wait until its session is over.
                "partition.assignment.strategy": "range",
                # A sink that was killed is waited for so long, by its successor and all others: with the
                # default of 45 s the history would stand still for that time. Heartbeats have a thread.
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 1_000,
                # Bounds what is held here while ClickHouse is slower than Kafka.
                "queued.max.messages.kbytes": 32 * 1024,
                # How soon a full queue is looked at again; the default of 1 s starves a sink that catches up.
                "fetch.queue.backoff.ms": 20,
                "on_commit": self._on_commit,
                "log_level": 3,
            },
            logger=client_log(__name__),
        )
        self._consumer.subscribe(
            list(self._topics), on_assign=self._given, on_revoke=self._taken, on_lost=self._lost
        )

    async def fill(self, timeout_s: float) -> None:
        """Waits for a record, at most so long, and adds it and all that are there with it to their batches.

        Raises `KafkaException` when this consumer will never read again.
        """
        await self._call(self._fill, timeout_s)

    def hold(self, topics: Set[str]) -> None:
        """Reads nothing of these topics from the next `fill` on, and of all others again."""
        self._held = topics

    async def read_ahead(self) -> None:
        """Reads what is there for the `fill` after it, while a batch is being written."""
        await self._call(self._read_ahead)

    async def keep_alive(self) -> None:
        """Stays in the group without reading on, while a batch is being written; `fill` reads again."""
        await self._call(self._keep_alive)

    async def commit(self, batch: Batch, *, wait: bool = False) -> None:
        """A batch has been written: its offsets go to the broker, a few times a second at most.

        With `wait`, which is for the last time, once they are there or a second has passed. Failing is
        harmless: records are read and written again.
        """
        await self._call(self._commit, batch.offsets, wait)

    async def close(self) -> None:
        """Leaves the group."""
        await self._call(self._consumer.close)
        self._thread.shutdown()

    async def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, method, *args)

    def _fill(self, timeout_s: float) -> None:
        if self._held or self._paused or self._paused is None:
            self._pause_held()
        if self._early:
            early, self._early = self._early, []
            self._add(early)
            timeout_s = 0
        first = self._consumer.poll(timeout_s)
        if first is not None:
            # At once, not with the rest: a rebalance in the next call must find it in the batch.
            self._add((first,))
            self._add(self._consumer.consume(_READ_AT_ONCE, 0))
        if self._written:
            self._send_when_due()

    def _add(self, messages: Iterable[Message]) -> None:
        by_topic: defaultdict[str | None, list[Message]] = defaultdict(list)
        for message in messages:
            error = message.error()
            if error is None:
                by_topic[message.topic()].append(message)
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("reading what to write: %s", error.str())
        now = time.monotonic()
        for topic, records in by_topic.items():
            short = self._topics[topic or ""]
            self._batches[short].add(short, records, now)

    def _pause_held(self) -> None:
        """Pausing throws away what was fetched ahead, so each partition is paused once."""
        assigned = {(one.topic, one.partition) for one in self._consumer.assignment()}
        held = {one for one in assigned if self._topics[one[0]] in self._held}
        before = assigned if self._paused is None else self._paused
        self._consumer.resume([TopicPartition(*one) for one in (before & assigned) - held])
        self._consumer.pause([TopicPartition(*one) for one in held - (self._paused or set())])
        self._paused = held

    def _read_ahead(self) -> None:
        if not self._early:
            self._early = self._consumer.consume(_READ_AT_ONCE, 0)

    def _keep_alive(self) -> None:
        self._paused = None
        # Each time, for there may be new ones.
        self._consumer.pause(self._consumer.assignment())
        message = self._consumer.poll(0)
        if message is not None:
            # Of a partition that has just come. The batches may be on their way to ClickHouse.
            self._early.append(message)

    def _commit(self, offsets: Mapping[Partition, int], wait: bool) -> None:
        self._written.update(offsets)
        if not wait:
            self._send_when_due()
        elif self._send(self._written):
            # Not a synchronous commit: while the group rebalances, that takes as long as it likes.
            self._answered = False
            self._consumer.pause(self._consumer.assignment())
            until = time.monotonic() + _COMMIT_TIMEOUT_S
            while not self._answered and time.monotonic() < until:
                self._consumer.poll(_ANSWER_POLL_S)

    def _send_when_due(self) -> None:
        now = time.monotonic()
        if now >= self._committed_at + _COMMIT_INTERVAL_S:
            self._committed_at = now
            written, self._written = self._written, {}
            self._send(written)

    def _send(self, written: Mapping[Partition, int]) -> bool:
        """Whether there was anything to send."""
        full_names = {topic: name for name, topic in self._topics.items()}
        offsets = [TopicPartition(full_names[p.topic], p.number, offset) for p, offset in written.items()]
        try:
            if offsets:
                self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as refused:
            self._on_commit(refused.args[0], offsets)
        return bool(offsets)

    def _on_commit(self, error: KafkaError | None, _: list[TopicPartition]) -> None:
        self._answered = True
        if error is not None:
            log.warning("offsets were not committed, so records are written again: %s", error.str())

    def _given(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._paused = None
        self.is_member = True
        self.assigned = frozenset((one.topic, one.partition) for one in partitions)

    def _taken(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        taken = self._known(partitions)
        # Still ours until this returns: whoever is next need not write it again.
        self._send({p: self._written.pop(p) for p in taken if p in self._written})
        self._drop(taken)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        lost = self._known(partitions)
        for partition in lost:
            self._written.pop(partition, None)
        self._drop(lost)

    def _drop(self, partitions: list[Partition]) -> None:
        self.assigned = frozenset()
        self._early.clear()
        for partition in partitions:
            self._batches[partition.topic].drop(partition)
            self._stalled.drop(partition)

    def _known(self, partitions: list[TopicPartition]) -> list[Partition]:
        return [Partition(self._topics[p.topic], p.partition) for p in partitions]
