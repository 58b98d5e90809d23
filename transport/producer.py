"""Sends that are over only when the broker has them: librdkafka, idempotent, acks=all."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as LibrdkafkaProducer

from transport.errors import SendFailed
from transport.settings import KafkaSettings

_log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""As the registry's topics allow it: a 10 MiB webhook body with room for its envelope."""

_POLL_S = 0.1
_QUEUE_FULL_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class Send:
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


class _Delivery:
    """Counts the acknowledgements of one `send_all` down; the last one resolves its future."""

    __slots__ = ("done", "error", "future", "pending", "positions")

    def __init__(self, size: int, future: "asyncio.Future[None]", done: "deque[_Delivery]") -> None:
        self.pending = size
        self.positions: list[tuple[int, int]] = [(-1, -1)] * size
        self.error: KafkaError | None = None
        self.future = future
        self.done = done

    def reporter(self, index: int) -> Callable[[KafkaError | None, Message], None]:
        """The callback for the message at `index`; librdkafka calls it on the polling thread only."""

        def report(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self.error = self.error or error
            else:
                self.positions[index] = (message.partition() or 0, message.offset() or 0)
            self.pending -= 1
            if not self.pending:
                self.done.append(self)

        return report

    def resolve(self) -> None:
        """On the loop's thread."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(SendFailed(self.error.str()))
        else:
            self.future.set_result(None)


class Producer:
    """One librdkafka producer for a role, shared by all its coroutines.

    Messages of concurrent callers travel in the same batches. Order within a partition is the order of
    the calls, also across retries (idempotent producer).
    """

    def __init__(
        self, settings: KafkaSettings, *, message_timeout_s: float = 30.0, linger_ms: float = 1.0
    ) -> None:
        """Must be called inside the running loop that will await the sends.

        `message_timeout_s` bounds how long a message is retried before `SendFailed`.
        """
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._done: deque[_Delivery] = deque()
        self._closing = False
        self._producer = LibrdkafkaProducer(
            {
                "bootstrap.servers": settings.bootstrap_servers,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": linger_ms,
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
            logger=_log,
        )
        self._thread = threading.Thread(target=self._poll, name="producer-poll", daemon=True)
        self._thread.start()

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        """Returns the positions, in order, once every message is acknowledged by all in-sync replicas.

        Raises `SendFailed` when one of them is not; the others may have been written all the same.
        """
        if not sends:
            return []
        delivery = _Delivery(len(sends), self._loop.create_future(), self._done)
        for index, send in enumerate(sends):
            await self._enqueue(send, delivery, index)
        await delivery.future
        return [Position(send.topic, *place) for send, place in zip(sends, delivery.positions, strict=True)]

    async def send(self, send: Send) -> Position:
        """`send_all` for one message."""
        return (await self.send_all((send,)))[0]

    @property
    def queued(self) -> int:
        """Messages that are not acknowledged yet."""
        return len(self._producer)

    async def close(self, flush_s: float = -1) -> None:
        """Waits for what is queued, no longer than `flush_s`, or than the message time-out; then ends threads
        and connections. What has not been sent by then fails."""
        if await asyncio.to_thread(self._producer.flush, flush_s):
            self._producer.purge()
        self._closing = True
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._producer.close)

    async def _enqueue(self, send: Send, delivery: _Delivery, index: int) -> None:
        while True:
            try:
                self._producer.produce(
                    self._settings.full_name(send.topic),
                    value=send.value,
                    key=send.key,
                    partition=-1 if send.partition is None else send.partition,
                    headers=list(send.headers),
                    on_delivery=delivery.reporter(index),
                )
            except BufferError:
                # librdkafka's queue is full: the broker is slower than we are, so the caller waits.
                await asyncio.sleep(_QUEUE_FULL_PAUSE_S)
            except KafkaException as refused:
                delivery.future.cancel()
                raise SendFailed(str(refused.args[0])) from refused
            else:
                return

    def _poll(self) -> None:
        while not self._closing:
            self._producer.poll(_POLL_S)
            if self._done and not self._loop.is_closed():
                # One wake-up of the loop for all deliveries that this poll has completed.
                self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        while self._done:
            self._done.popleft().resolve()
