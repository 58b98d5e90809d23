"""What the tests of the shell need around its processes: topics, events, workers, and what came out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
# The producer knows the topics of the registry only, so the stages of these tests borrow theirs.
IN, OUT = "trigger.events", "run.commands"
TASKS, DONE = "node.tasks.default", "runs"
TOPICS = (IN, OUT, TASKS, DONE, "dead.letters", "changelog.dedup")
PATIENCE_S = 120
"""For whatever is waited for: far more than it takes, so that only what never happens fails."""
_SCRIPT = Path(__file__).with_name("shell_process.py")
_ROOT = Path(__file__).parents[2]


def say(text: str) -> None:
    """Progress, visible with `pytest -s`."""
    print(f"[shell] {text}", flush=True)


@dataclass
class Deployment:
    """Topics of one test and the workers on them."""

    bootstrap: str
    prefix: str
    folder: Path
    store: str = "memory"
    workers: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def create_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        new = [NewTopic(self.prefix + topic, PARTITIONS, 1) for topic in TOPICS]
        for created in admin.create_topics(new).values():
            created.result(PATIENCE_S)

    def produce(self, topic: str, values: Iterable[tuple[str, bytes | None]], partition: int = -1) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random"})
        for key, value in values:
            producer.produce(self.prefix + topic, value=value, key=key.encode(), partition=partition)
        assert producer.flush(PATIENCE_S) == 0

    def start(self, worker_id: str, **options: Any) -> "subprocess.Popen[bytes]":
        """Starts a worker; it need not be ready when this returns."""
        settings = {
            "bootstrap": self.bootstrap,
            "prefix": self.prefix,
            "partitions": PARTITIONS,
            "worker_id": worker_id,
            "store": self.store,
            "data_dir": str(self.folder),
            **options,
        }
        with open(self.folder / f"{worker_id}.log", "ab") as output:
            process = subprocess.Popen(
                [sys.executable, str(_SCRIPT), json.dumps(settings)],
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
                stdout=output,
                stderr=output,
            )
        self.workers[worker_id] = process
        return process

    def wait_ready(self, worker_id: str) -> None:
        wait_for(lambda: self.is_ready(worker_id), f"{worker_id} to be ready", self)

    def is_ready(self, worker_id: str) -> bool:
        """Whether it has had partitions since it was started last."""
        return (self.folder / f"{worker_id}.{self.workers[worker_id].pid}.ready").exists()

    def stop(self, worker_id: str, number: int = signal.SIGTERM) -> int:
        """Ends a worker and returns its exit code."""
        process = self.workers.pop(worker_id)
        process.send_signal(number)
        return process.wait(PATIENCE_S)

    def close(self) -> None:
        for process in self.workers.values():
            process.kill()
            process.wait()

    def log(self, worker_id: str) -> str:
        return (self.folder / f"{worker_id}.log").read_text()

    def read(self, topic: str) -> list[Any]:
        """Every message of a topic until its end as of now; in order within a partition."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}reader",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        messages: list[Any] = []
        unread = set(range(PARTITIONS))
        try:
            consumer.assign([TopicPartition(self.prefix + topic, each, OFFSET_BEGINNING) for each in unread])
            while unread:
                message = consumer.poll(PATIENCE_S)
                assert message is not None, f"{topic}: no answer"
                if message.error() is None:
                    messages.append(message)
                else:
                    assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                    unread.discard(message.partition())
        finally:
            consumer.close()
        return messages

    def ids(self, topic: str) -> list[str]:
        """The ids of all messages of an output topic, repeated as often as they occur."""
        return [json.loads(message.value())["id"] for message in self.read(topic)]

    def rows(self) -> dict[str, dict[str, Any]]:
        """What the changelog adds up to."""
        rows: dict[str, dict[str, Any]] = {}
        for message in self.read("changelog.dedup"):
            key = message.key().decode()
            if message.value() is None:
                rows.pop(key, None)
            else:
                rows[key] = json.loads(message.value())
        return rows

    def committed(self, topic: str) -> list[int]:
        """The committed offset of each partition, -1001 where there is none."""
        group = f"{self.prefix}workers"
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": group})
        try:
            asked = [TopicPartition(self.prefix + topic, partition) for partition in range(PARTITIONS)]
            return [found.offset for found in consumer.committed(asked, timeout=PATIENCE_S)]
        finally:
            consumer.close()


def events(names: Iterable[str]) -> list[tuple[str, bytes | None]]:
    """Keyed values for the topics `IN` and `TASKS`."""
    return [(name, json.dumps({"id": name}).encode()) for name in names]


def wait_for(done: Callable[[], bool], what: str, deployment: Deployment) -> None:
    """Polls; fails with the logs of the workers when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > deadline:
            logs = "\n".join(path.read_text()[-3000:] for path in sorted(deployment.folder.glob("*.log")))
            raise AssertionError(f"waited {PATIENCE_S} s for {what}\n{logs}")
        time.sleep(0.1)
