"""The ingress on a real broker: what is accepted is in the topic, and nothing is accepted that is not."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from obstore.store import MemoryStore
from pydantic import SecretStr

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from ingress.app import build_app
from ingress.server import serve
from ingress.settings import IngressSettings
from schemas.codec import SingleObjectCodec
from transport.admin import create_topics
from transport.settings import KafkaSettings
from transport.storage import Storage

PARTITIONS = 3
IN_FLIGHT = 64 * 1024 * 1024
GRAPH = {
    "name": "ingress",
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"id": "e", "source": "start", "target": "end", "sourceHandle": "source"}],
}


@pytest.fixture
async def kafka(broker: str, topic_prefix: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=PARTITIONS)
    await create_topics(settings)
    return settings


class Running:
    """An ingress that serves in this loop, and a client of it."""

    def __init__(self, session: aiohttp.ClientSession, port: int, stopping: asyncio.Event) -> None:
        self.session = session
        self.port = port
        self.stopping = stopping

    async def webhook(self, **config: Any) -> str:
        """The path of a new webhook."""
        async with self.session.post("/api/v1/workflows/import?publish=true", json=GRAPH) as answer:
            assert answer.ok, await answer.text()
            workflow_id = (await answer.json())["workflow_id"]
        wanted = {"workflow_id": workflow_id, "config": config}
        async with self.session.post("/api/v1/triggers", json=wanted) as answer:
            assert answer.ok, await answer.text()
            return "/triggers/webhook/" + str((await answer.json())["config"]["webhook_id"])


@asynccontextmanager
async def ingress(kafka: KafkaSettings, accept_timeout_s: float = 5.0) -> AsyncIterator[Running]:
    """Drained at the end."""
    settings = IngressSettings(
        port=0,
        api_key=SecretStr("key"),
        secret_key=SecretStr("s" * 32),
        accept_timeout_s=accept_timeout_s,
        drain_timeout_s=3,
        inflight_max_bytes=IN_FLIGHT,
        # Its clients are in the same loop, so that being late tells nothing.
        overload_delay_s=0,
    )
    stopping, listening = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            build_app(settings, kafka, Storage(MemoryStore())), settings, stopping, ready=listening.set_result
        )
    )
    await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    port = listening.result()
    connector = aiohttp.TCPConnector(limit=200)
    headers = {"Authorization": "Bearer key"}
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{port}", connector=connector, headers=headers
    ) as session:
        yield Running(session, port, stopping)
    stopping.set()
    await serving


def events(kafka: KafkaSettings) -> list[dict[str, Any]]:
    """Every TriggerEvent in the topic."""
    codec, found = SingleObjectCodec(), []
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "test"})
    try:
        partitions = [TopicPartition(kafka.full_name("trigger.events"), p, 0) for p in range(PARTITIONS)]
        expected = sum(end_offset(consumer, partition) for partition in partitions)
        consumer.assign(partitions)
        while len(found) < expected:
            for message in consumer.consume(1000, 0.2):
                assert message.error() is None
                event = codec.decode("TriggerEvent", message.value())
                assert message.key() == event["dedup_key"].encode()
                found.append(event)
    finally:
        consumer.close()
    return found


def end_offset(consumer: Consumer, partition: TopicPartition) -> int:
    """A broker that was stopped for long is without leaders for a moment."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return int(consumer.get_watermark_offsets(partition, timeout=10)[1])
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def post(running: Running, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    async with running.session.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def accepted_event(running: Running, path: str, body: Any) -> str:
    """Posts as a producer does, until it is taken; the event_id."""
    async with asyncio.timeout(30):
        while True:
            status, answer = await post(running, path, body)
            if status < 300:
                return str(answer["event_id"])


async def test_two_thousand_concurrent_posts_are_all_in_the_topic(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as running:
        path = await running.webhook()
        bodies = [{"number": number, "text": "\u00e9" * (number % 50)} for number in range(2000)]
        answers = await asyncio.gather(*(post(running, path, body) for body in bodies))
    assert {status for status, _ in answers} == {202}
    found = {event["event_id"]: event for event in await asyncio.to_thread(events, kafka)}
    assert len(found) == 2000
    for body, (_, answer) in zip(bodies, answers, strict=True):
        event = found[answer["event_id"]]
        assert event["trigger_id"] == answer["trigger_id"]
        assert orjson.loads(event["data"])["body"] == body
        assert event["triggers_offset"] == 1
        assert event["workflows_offset"] == 2


async def test_a_body_of_ten_mib_fits(kafka: KafkaSettings) -> None:
    text = os.urandom(5 * 1024 * 1024).hex()
    control = b"\x01" * 10_000_000
    as_text, as_bytes = {"Content-Type": "text/plain"}, {"Content-Type": "application/octet-stream"}
    async with ingress(kafka, accept_timeout_s=20) as running:
        path = await running.webhook()
        for body, headers in ((text.encode(), as_text), (control, as_bytes)):
            async with running.session.post(path, data=BytesIO(body), headers=headers) as answer:
                assert answer.status == 202, await answer.text()
        # Each of these bytes takes six in JSON, so that the event outgrows what a message may have.
        async with running.session.post(path, data=BytesIO(control), headers=as_text) as answer:
            assert answer.status == 413
            assert "as JSON" in (await answer.json())["detail"]
    found = await asyncio.to_thread(events, kafka)
    assert any(orjson.loads(event["data"])["body"] == text for event in found)


async def test_what_is_configured_outlives_the_process(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as running:
        path = await running.webhook(signature={"scheme": "github", "secrets": ["secret"]})
    async with ingress(kafka) as running:
        assert (await post(running, path, {}))[0] == 401
        async with running.session.get("/health/detailed") as answer:
            health = await answer.json()
    assert health["components"]["broker"]["status"] == "healthy"
    assert health["components"]["definitions"]["detail"] == "1 published workflows, 1 triggers"


async def test_another_ingress_sees_a_new_trigger(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as one, ingress(kafka) as other:
        path = await one.webhook()
        async with asyncio.timeout(10):
            while (await post(other, path, {}))[0] == 404:
                pass


async def test_stopping_finishes_what_is_under_way(kafka: KafkaSettings) -> None:
    async with ingress(kafka) as running:
        path = await running.webhook()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        lines = (f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", "Content-Length: 10")
        head = "\r\n".join((*lines, "", ""))
        writer.write(head.encode() + b'{"a"')
        await writer.drain()
        await asyncio.sleep(0.2)
        running.stopping.set()
        await asyncio.sleep(0.2)
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b': "b"}')
        assert (await reader.readline()).startswith(b"HTTP/1.1 202")
        writer.close()
        await writer.wait_closed()
    assert [orjson.loads(e["data"])["body"] for e in await asyncio.to_thread(events, kafka)] == [{"a": "b"}]


async def most_in_flight(running: Running, path: str) -> float:
    """What requests have held at the most, by its metric, while more came than may be. All are refused."""

    async def large() -> int:
        async with running.session.post(path, data=BytesIO(b"x" * 1024 * 1024)) as answer:
            return answer.status

    posts = asyncio.gather(*(large() for _ in range(100)))
    most = 0.0
    while not posts.done():
        async with running.session.get("/metrics") as answer:
            told = await answer.text()
        (used,) = re.findall(r"^hopline_ingress_inflight_bytes (\S+)$", told, re.MULTILINE)
        most = max(most, float(used))
    assert set(await posts) == {503}
    return most


async def test_while_the_broker_hangs_producers_are_told_in_bounded_time(tmp_path: Path) -> None:
    """And what was refused may be there or not, but what was accepted is."""
    broker = EmbeddedBroker(BrokerSettings(data_dir=tmp_path, port=0))
    await broker.start(print)
    try:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, partitions=PARTITIONS)
        await create_topics(kafka)
        async with ingress(kafka) as configuring:
            path = await configuring.webhook()
        async with ingress(kafka, accept_timeout_s=1.0) as running:
            accepted = [await accepted_event(running, path, {"n": 0})]
            os.kill(broker.pid or 0, signal.SIGSTOP)
            began = time.monotonic()
            refused = (running.session.post(path, json={"n": n}) for n in range(1, 50))
            configure = running.session.post("/api/v1/api-keys", json={"name": "x"})
            for answer in await asyncio.gather(*refused, configure):
                assert answer.status == 503
                assert answer.headers["Retry-After"] == "1"
                answer.release()
            assert time.monotonic() - began < 4
            assert 0 < await most_in_flight(running, path) <= IN_FLIGHT
            os.kill(broker.pid or 0, signal.SIGCONT)
            accepted.append(await accepted_event(running, path, {"n": 1}))
        found = {event["event_id"] for event in await asyncio.to_thread(events, kafka)}
        assert set(accepted) <= found
    finally:
        os.kill(broker.pid or 0, signal.SIGCONT)
        await broker.stop()
