"""What happens to the partitions of a worker that is gone, and to a worker whose broker is."""

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Stage
from streams.shell.worker import Worker
from tests.integration.shell_harness import IN, OUT, PARTITIONS, Deployment, events, say, wait_for
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

pytestmark = pytest.mark.broker


@pytest.fixture
def deployment(broker: str, topic_prefix: str, tmp_path: Path) -> Iterator[Deployment]:
    deployment = Deployment(broker, topic_prefix, tmp_path)
    deployment.create_topics()
    yield deployment
    deployment.close()


def test_two_workers_share_and_one_takes_over_within_ten_seconds(deployment: Deployment) -> None:
    for worker in ("w1", "w2"):
        deployment.start(worker)
    for worker in ("w1", "w2"):
        deployment.wait_ready(worker)
    before = [f"before{number}" for number in range(200)]
    deployment.produce(IN, events(before))
    wait_for(lambda: len(deployment.rows()) == len(before), "the first events", deployment)
    assert {row["by"] for row in deployment.rows().values()} == {"w1", "w2"}

    deployment.stop("w1", signal.SIGKILL)
    killed = time.monotonic()
    after = [f"after{number}" for number in range(200)]
    deployment.produce(IN, events([*before, *after]))
    wait_for(lambda: len(set(deployment.ids(OUT))) == len(before) + len(after), "the rest", deployment)
    took = time.monotonic() - killed
    say(f"w2 took over in {took:.1f} s")
    assert took < 10
    first = [(row["first"][0], row["first"][1]) for row in deployment.rows().values()]
    assert len(first) == len(set(first)) == len(before) + len(after)


async def test_a_worker_stops_in_time_though_its_broker_is_gone(tmp_path: Path, topic_prefix: str) -> None:
    embedded = EmbeddedBroker(BrokerSettings(data_dir=tmp_path / "broker", port=0))
    await embedded.start(say)
    deployment = Deployment(embedded.bootstrap_servers, topic_prefix, tmp_path)
    await asyncio.to_thread(deployment.create_topics)
    kafka = KafkaSettings(
        bootstrap_servers=embedded.bootstrap_servers, topic_prefix=topic_prefix, partitions=PARTITIONS
    )
    producer = Producer(kafka, message_timeout_s=1)
    stage = Stage("s", IN, lambda record, kept, now: Decision(), "dedup")
    worker = Worker(
        ShellSettings(kafka, "w1", tmp_path),
        [stage],
        [],
        producer,
        lambda record, error: Send(OUT, None, None),
    )
    await worker.start()
    await worker.ready.wait()
    await embedded.stop()
    await asyncio.sleep(1)
    began = time.monotonic()
    await worker.stop()
    assert time.monotonic() - began < 5
    await producer.close()
