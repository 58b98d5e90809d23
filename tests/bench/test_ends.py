"""What is told of the ends of runs, as they are read from the real broker."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

import schemas.topics
from bench.peers.ends import ends_read
from schemas.codec import SingleObjectCodec
from transport.admin import create_topics
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

_RUN = json.loads((Path(schemas.topics.__file__).parent / "examples" / "runs.json").read_text())
_CODEC = SingleObjectCodec()


def run(order: str | None, **changed: Any) -> Send:
    inputs = {} if order is None else {"order_id": order}
    record = {**_RUN, "status": "SUCCEEDED", "inputs": json.dumps(inputs), **changed}
    return Send("runs", b"r", _CODEC.encode("WorkflowRun", record))


async def test_first_end_of_each_run_that_ends_well_meanwhile_is_timed(
    broker: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long nothing may come before that is taken for the end: longer here, where the broker is busy.
    monkeypatch.setattr("bench.reading._POLL_S", 2.0)
    kafka = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=2)
    await create_topics(kafka)
    producer = Producer(kafka, message_timeout_s=30)
    await producer.send(run("before"))
    with ends_read(kafka) as at:
        began = time.time()
        for told in (run("a", status="RUNNING"), run("a"), run("b", status="FAILED"), run(None)):
            await producer.send(told)
        confirmed = time.time()
        await producer.send(run("c"))
        await producer.send(run("a", revision=9))
    await producer.close()
    assert list(at) == ["a", "c"]
    assert began < at["a"] < at["c"]
    assert confirmed < at["c"]
