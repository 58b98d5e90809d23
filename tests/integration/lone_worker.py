"""One worker on the broker of the tests, without an ingress: what it is told of, and what it says."""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer

from schemas.codec import SingleObjectCodec
from schemas.models import DEFAULT_TENANT, Workflow
from transport.definitions import WORKFLOWS
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send
from transport.settings import KafkaSettings
from transport.store import DefinitionsStore

CODEC = SingleObjectCodec()
TIMEOUT_S = 120
"""Of everything that is waited for."""


class LoneWorker:
    """`hopline worker` in a process of its own. Used as an async context; may be killed and started again."""

    def __init__(self, kafka: KafkaSettings, folder: Path, **settings: str) -> None:
        """`settings`: further ones, without HOPLINE_. `folder` gets its data and its log."""
        own = {
            "KAFKA": kafka.bootstrap_servers,
            "TOPIC_PREFIX": kafka.topic_prefix,
            "PARTITIONS": str(kafka.partitions),
            "WORKER_ID": "w",
            "DATA_DIR": str(folder),
            "SANDBOX_POOL_SIZE": "1",
            **settings,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOPLINE_")}
        self._environment = {**inherited, **{f"HOPLINE_{name}": value for name, value in own.items()}}
        self._log = folder / "worker.log"

    async def __aenter__(self) -> "LoneWorker":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        await asyncio.wait_for(self._process.wait(), TIMEOUT_S)

    async def start(self) -> None:
        """Returns when the process exists."""
        command = (sys.executable, "-m", "cli.main", "worker")
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, env=self._environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        await self._process.wait()


async def tell(kafka: KafkaSettings, workflow: Workflow, *starts: dict[str, Any]) -> None:
    """Configures the workflow, and sends an event that starts it by hand for each of `starts`: an `id`, and
    what the data of the event has besides."""
    async with DefinitionsFeed(kafka, CODEC) as feed:
        producer = Producer(kafka)
        await DefinitionsStore(producer, feed, CODEC).put(WORKFLOWS, workflow)
        for start in starts:
            name = start.pop("id")
            data = {"type": "manual", "inputs": {}, "metadata": {"version": ""}, **start}
            event = {
                "event_id": name, "trigger_id": name, "dedup_key": name, "dedup_window_ms": 30_000,
                "tenant_id": DEFAULT_TENANT, "trigger_type": "MANUAL", "index_key": workflow.id,
                "received_at": time.time_ns() // 1000, "data": orjson.dumps(data).decode(),
                "workflows_offset": feed.offset(WORKFLOWS),
            }  # fmt: skip
            value = CODEC.encode("TriggerEvent", event)
            await producer.send(Send("trigger.events", name.encode(), value))
        await producer.close()


def messages(kafka: KafkaSettings, *topics: str) -> Iterator[tuple[str, bytes]]:
    """Topic, without its prefix, and value of every message from the beginning. Ends when there was nothing
    to read for long."""
    settings = {"auto.offset.reset": "earliest", "enable.auto.commit": False}
    group = {"group.id": f"test-{uuid.uuid4()}", "bootstrap.servers": kafka.bootstrap_servers}
    consumer = Consumer({**settings, **group})
    names = {kafka.full_name(topic): topic for topic in topics}
    consumer.subscribe(list(names))
    patience = time.monotonic() + TIMEOUT_S
    try:
        while time.monotonic() < patience:
            message = consumer.poll(1.0)
            if message is None or message.error() is not None:
                continue
            patience = time.monotonic() + TIMEOUT_S
            yield names[message.topic()], message.value() or b""
    finally:
        consumer.close()


def ended_runs(kafka: KafkaSettings, count: int) -> list[dict[str, Any]]:
    """The last records of so many runs, in the order of their ends. Raises `AssertionError` for less."""
    found: dict[str, dict[str, Any]] = {}
    for _, value in messages(kafka, "runs"):
        run = CODEC.decode("WorkflowRun", value)
        if run["status"] not in ("RUNNING", "PAUSED"):
            found.setdefault(run["id"], run)
        if len(found) == count:
            return list(found.values())
    raise AssertionError(f"only {len(found)} of {count} runs have ended")
