"""The sink's part of a run: records are batched, framed, packed into containers and handed over."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import cast

from confluent_kafka import Message
from prometheus_client import CollectorRegistry

from bench.cpu.broker import Confirming, Inserting
from schemas.codec import Codec
from sinks.batch import Batch
from sinks.erased import Erased, LeavingOut
from sinks.letters import LetterBox
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from sinks.table import TABLES
from sinks.writing import BatchWriter
from transport.clickhouse import ClickHouse
from transport.definitions import Definitions
from transport.producer import Producer, Send

Read = Mapping[str, Sequence[Message]]
"""Registry name of the topic -> its messages."""


class Sink:
    """Writes as `sinks.app` composes it, into `bench.cpu.broker.Inserting`."""

    def __init__(self, definitions: Definitions, codec: Codec) -> None:
        """Must be called inside the running loop."""
        self.clickhouse = Inserting()
        letters = LetterBox(cast(Producer, Confirming()), codec)
        metrics = SinkMetrics(CollectorRegistry())
        writer = BatchWriter(cast(ClickHouse, self.clickhouse), codec, letters, metrics)
        erased: asyncio.Future[Erased] = asyncio.get_running_loop().create_future()
        erased.set_result(Erased(definitions, codec))
        self._writer = LeavingOut(writer, erased)
        self._batch = Batch(SinkSettings())
        self._ends: dict[str, int] = {}

    def read(self, sends: Sequence[Send]) -> Read:
        """Messages as the consumer gives them: librdkafka makes these, so it is not to be measured."""
        found: dict[str, list[Message]] = {}
        now_ms = time.time_ns() // 1_000_000
        for send in sends:
            if send.topic in TABLES:
                end = self._ends[send.topic] = self._ends.get(send.topic, 0) + 1
                found.setdefault(send.topic, []).append(
                    Message(
                        topic=send.topic,
                        partition=0,
                        offset=end - 1,
                        key=send.key,
                        value=send.value,
                        headers=list(send.headers),
                        timestamp=(1, now_ms),
                    )
                )
        return found

    async def take(self, read: Read) -> None:
        """Returns once all of them are in their tables. Raises `AssertionError` for a record that is not."""
        for topic, messages in read.items():
            self._batch.add(topic, messages, time.monotonic())
        failures = await self._writer.write(self._batch)
        assert not failures, failures
        self._batch.start_again(time.monotonic())
