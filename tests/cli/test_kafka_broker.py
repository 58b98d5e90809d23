"""The embedded broker as a process: its life, its deaths, and what it says when it can't live."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from cli.errors import BrokerProblem
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.jars import ensure_jars
from cli.kafka.java import find_java, java_candidates
from cli.kafka.jvm import Jvm
from cli.kafka.settings import BrokerSettings

pytestmark = pytest.mark.broker


@pytest.fixture
def settings(tmp_path: Path) -> BrokerSettings:
    return BrokerSettings(data_dir=tmp_path / "a, directory", port=0)


@pytest.fixture
async def own_broker(settings: BrokerSettings) -> AsyncIterator[EmbeddedBroker]:
    """Not started; stopped afterwards."""
    embedded = EmbeddedBroker(settings)
    yield embedded
    await embedded.stop()


def produce(servers: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "message.max.bytes": 16_000_000})
    failures: list[object] = []
    producer.produce("t", value, on_delivery=lambda error, _: failures.append(error))
    assert producer.flush(20) == 0
    assert failures == [None]


def consume(servers: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": os.urandom(4).hex(), "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["t"])
    try:
        return [message.value() for message in consumer.consume(count, timeout=20)]
    finally:
        consumer.close()


async def console_consumer(settings: BrokerSettings, servers: str) -> bytes:
    jvm = Jvm(await find_java(java_candidates(None)), await ensure_jars(settings, print))
    main_class = "org.apache.kafka.tools.consumer.ConsoleConsumer"
    arguments = ("--bootstrap-server", servers, "--topic", "t", "--from-beginning", "--max-messages", "1")
    process = await asyncio.create_subprocess_exec(
        *jvm.tool(main_class, *arguments), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    return output


def has_gone(pid: int) -> bool:
    """Within 5 s; a zombie counts, whoever its new parent is."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


async def test_messages_survive_a_stop_and_a_kill(
    own_broker: EmbeddedBroker, settings: BrokerSettings
) -> None:
    await own_broker.start(print)
    admin = AdminClient({"bootstrap.servers": own_broker.bootstrap_servers})
    admin.create_topics([NewTopic("t", 1, 1)])["t"].result(20)
    produce(own_broker.bootstrap_servers, b"first")
    assert await console_consumer(settings, own_broker.bootstrap_servers) == b"first\n"

    began = time.monotonic()
    await own_broker.stop()
    assert time.monotonic() - began < 10
    assert await own_broker.wait() == 143

    await own_broker.start(print)
    largest = b"x" * 11 * 1024 * 1024
    produce(own_broker.bootstrap_servers, largest)

    assert own_broker.pid is not None
    os.kill(own_broker.pid, signal.SIGKILL)
    assert await own_broker.wait() == -signal.SIGKILL
    assert "killed by SIGKILL" in str(own_broker.cause_of_death())

    await own_broker.start(print)
    assert consume(own_broker.bootstrap_servers, 2) == [b"first", largest]


async def test_a_topic_that_nobody_created_is_not_invented(broker: str, topic_prefix: str) -> None:
    producer = Producer({"bootstrap.servers": broker, "topic.metadata.propagation.max.ms": 0})
    errors: list[object] = []
    producer.produce(f"{topic_prefix}typo", b"", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(10) == 0
    assert "Unknown topic" in str(errors[0])


async def test_a_cancelled_start_leaves_no_process(own_broker: EmbeddedBroker) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(own_broker.start(print), 1.5)
    assert own_broker.pid is not None
    assert has_gone(own_broker.pid)


async def test_a_death_at_the_start_is_explained_by_the_log(
    own_broker: EmbeddedBroker, settings: BrokerSettings
) -> None:
    log_dir = settings.home / "data"
    log_dir.mkdir(parents=True)
    (log_dir / "meta.properties").write_text("version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qk\nnode.id=7\n")
    with pytest.raises(BrokerProblem, match=r"node id 7 .*its log is .*kafka\.log"):
        await own_broker.start(print)
    assert own_broker.pid is not None
    assert has_gone(own_broker.pid)


async def test_no_java_is_said_before_anything_is_started(
    settings: BrokerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    embedded = EmbeddedBroker(settings, java=[])
    with pytest.raises(BrokerProblem, match=r"no Java 17 .* or set HOPLINE_KAFKA"):
        await embedded.start(print)
    assert embedded.pid is None
