"""Sends that are over only when the broker has them: librdkafka, idempotent, acks=all."""

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as LibrdkafkaProducer

from schemas.topics import MAX_MESSAGE_BYTES
from transport.client_log import client_log
from transport.errors import SendFailed
from transport.pace import Pace
from transport.reports import Reports
from transport.settings import KafkaSettings

_QUEUE_FULL_PAUSE_S = 0.005
_DISTANCE_PER_MESSAGE_S, _MOST_DISTANCE_S = 5e-6, 0.005
"""Between the requests of a busy producer."""
_ENOUGH = 32
"""Callers that do not wait for the distance to be over: what follows may come only once they are answered."""
_MANY_PER_S = 500
"""Messages, from which on the loop looks for their reports by itself."""


class Send(NamedTuple):
    """One message to be produced. `topic` is the registry's name, without the prefix."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


class Position(NamedTuple):
    """Where a record is. `topic` is the registry's name, without the prefix."""

    topic: str
    partition: int
    offset: int


_NOWHERE = Position("", -1, -1)


class _Delivery:
    """One `send_all`: what is handed over of it, and how many reports are to come; the last one resolves its
    future."""

    __slots__ = ("done", "error", "future", "handed_over", "pending", "positions", "sends")

    def __init__(
        self,
        sends: Sequence[Send],
        future: asyncio.Future[list[Position]],
        done: "deque[_Delivery]",
    ) -> None:
        self.sends = sends
        self.handed_over = 0
        self.pending = len(sends)
        self.positions = [_NOWHERE] * len(sends)
        self.error: KafkaError | None = None
        self.future = future
        self.done = done

    def report(self, index: int, error: KafkaError | None, message: Message) -> None:
        """Of the message at `index`; librdkafka calls it while somebody polls."""
        if error is None:
            topic = self.sends[index].topic
            self.positions[index] = Position(topic, message.partition() or 0, message.offset() or 0)
        else:
            self.error = self.error or error
        self.pending -= 1
        if not self.pending:
            self.done.append(self)

    def resolve(self) -> None:
        """On the loop's thread."""
        if self.error is not None:
            self.fail(self.error.str())
        elif not self.future.done():
            self.future.set_result(self.positions)

    def fail(self, why: str) -> None:
        """On the loop's thread."""
        if not self.future.done():
            self.future.set_exception(SendFailed(why))


class Producer:
    """One librdkafka producer for a role, shared by all its coroutines.

    Messages of concurrent callers travel in the same batches, which a busy producer sends at a distance.
    Order within a partition is the order of the calls, also across retries (idempotent producer).
    """

    def __init__(
        self, settings: KafkaSettings, *, message_timeout_s: float = 30.0, linger_s: float = 0.0
    ) -> None:
        """Must be called inside the running loop that will await the sends.

        `message_timeout_s` bounds how long a message is retried before `SendFailed`. `linger_s`: how long
        librdkafka waits for what goes to the same partition; without it, a call's first message may leave
        alone, and the others after it.
        """
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._gathered: deque[_Delivery] = deque()
        """What is not handed over to librdkafka yet."""
        self._next: asyncio.TimerHandle | None = None
        self._pace = Pace(_DISTANCE_PER_MESSAGE_S, _MOST_DISTANCE_S)
        self._done: deque[_Delivery] = deque()
        self._producer = LibrdkafkaProducer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": linger_s * 1000,
                "message.timeout.ms": int(message_timeout_s * 1000),
                "message.max.bytes": MAX_MESSAGE_BYTES,
                "queue.buffering.max.messages": 500_000,
                "queue.buffering.max.kbytes": settings.producer_buffer_mb * 1024,
                # As the Java client and Faust assign partitions, so that a key has one home.
                "partitioner": "murmur2_random",
                # Each failed attempt is a line in the log, and the broker may be away for an hour.
                "reconnect.backoff.ms": 200,
                "reconnect.backoff.max.ms": 2000,
                "log_level": 3,
            },
            logger=client_log(__name__),
        )
        self._reports = Reports(self._producer.poll, self._resolve)

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        """Returns the positions, in order, once every message is acknowledged by all in-sync replicas.

        Raises `SendFailed` when one of them is not; the others may have been written all the same.
        """
        return await self._begun(sends) if sends else []

    async def send(self, send: Send) -> Position:
        """`send_all` for one message."""
        return (await self._begun((send,)))[0]

    @property
    def queued(self) -> int:
        """Messages that librdkafka has and that are not acknowledged yet."""
        return len(self._producer)

    async def close(self, flush_s: float = -1) -> None:
        """Waits for what is queued, no longer than `flush_s`, or than the message time-out; then ends threads
        and connections. What has not been sent by then fails."""
        if self._next is not None:
            self._next.cancel()
        self._hand_over()
        await self._reports.close()
        if await asyncio.to_thread(self._producer.flush, flush_s):
            self._producer.purge()
            self._producer.poll(0)
        if self._next is not None:
            self._next.cancel()
        for delivery in self._gathered:
            delivery.fail("closed before there was room for it")
        self._resolve()
        await asyncio.to_thread(self._producer.close)

    def _begun(self, sends: Sequence[Send]) -> asyncio.Future[list[Position]]:
        delivery = _Delivery(sends, self._loop.create_future(), self._done)
        self._gathered.append(delivery)
        if self._next is None:
            wait_s = self._pace.wait_s(self._loop.time())
            self._hand_over() if wait_s <= 0 else self._hand_over_in(wait_s)
        elif len(self._gathered) == _ENOUGH:
            self._next.cancel()
            self._hand_over()
        return delivery.future

    def _hand_over_in(self, wait_s: float) -> None:
        self._next = self._loop.call_later(wait_s, self._hand_over)

    def _hand_over(self) -> None:
        """All that is gathered, in the order of the calls, but for those whose caller waits no longer."""
        self._next = None
        messages = 0
        while self._gathered:
            delivery = self._gathered[0]
            try:
                if not delivery.future.done():
                    messages += self._enqueue(delivery)
            except BufferError:
                # librdkafka's queue is full: the broker is slower than we are, so the callers wait.
                self._hand_over_in(_QUEUE_FULL_PAUSE_S)
                return
            except KafkaException as refused:
                delivery.fail(str(refused.args[0]))
            self._gathered.popleft()
        self._pace.done(messages, self._loop.time())
        if self._pace.rate > _MANY_PER_S:
            self._reports.are_many()

    def _enqueue(self, delivery: _Delivery) -> int:
        """How many messages there were left of it."""
        before = delivery.handed_over
        for index in range(before, len(delivery.sends)):
            send = delivery.sends[index]
            self._producer.produce(
                self._settings.full_name(send.topic),
                value=send.value,
                key=send.key,
                partition=-1 if send.partition is None else send.partition,
                headers=list(send.headers) or None,
                on_delivery=partial(delivery.report, index),
            )
            delivery.handed_over += 1
        return delivery.handed_over - before

    def _resolve(self) -> None:
        while self._done:
            self._done.popleft().resolve()
