"""How workers hear, on the real broker, of executions that nobody waits for."""

import asyncio
import logging

import pytest

from schemas.codec import SingleObjectCodec
from transport.admin import create_topics
from transport.cancellations import CANCELLATIONS, CancellationFeed
from transport.errors import BrokerUnreachable
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

CODEC = SingleObjectCodec()


def cancellation(*execution_ids: str) -> Send:
    record = {"workflow_run_id": "r", "tenant_id": "t", "node_execution_ids": execution_ids, "issued_at": 0}
    return Send(CANCELLATIONS, b"r", CODEC.encode("NodeCancellation", record))


async def test_each_worker_hears_of_what_is_cancelled_and_of_what_was_a_while_ago(
    broker: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=1)
    await create_topics(kafka)
    producer = Producer(kafka, message_timeout_s=10)
    await producer.send(cancellation("before", "start"))
    heard: list[asyncio.Queue[str]] = [asyncio.Queue(), asyncio.Queue()]

    def tell(queue: "asyncio.Queue[str]", execution_ids: list[str]) -> None:
        for execution_id in execution_ids:
            queue.put_nowait(execution_id)

    feeds = [CancellationFeed(kafka, CODEC, lambda ids, q=queue: tell(q, ids)) for queue in heard]  # type: ignore[misc]
    async with feeds[0], feeds[1], asyncio.timeout(30):
        assert [await queue.get() for queue in heard for _ in range(2)] == ["before", "start"] * 2
        with caplog.at_level(logging.CRITICAL, "transport.cancellations"):
            await producer.send(Send(CANCELLATIONS, b"r", b"of another kind"))
            await producer.send(cancellation("after"))
            assert [await queue.get() for queue in heard] == ["after", "after"]
    await producer.close()


async def test_a_topic_that_is_not_there_is_named(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.cancellations._START_TIMEOUT_S", 0.0)
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix)
    with pytest.raises(BrokerUnreachable, match="hopline topics create"):
        async with CancellationFeed(kafka, CODEC, lambda _: None):
            pass
