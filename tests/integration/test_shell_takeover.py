"""What happens to the partitions of a worker that is gone, and to a worker whose broker is."""

import asyncio
import json
import signal
import time
from pathlib import Path

import pytest

from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Stage
from streams.shell.worker import Worker
from tests.integration.shell_harness import (
    DONE,
    IN,
    OUT,
    PARTITIONS,
    TASKS,
    Deployment,
    events,
    say,
    wait_for,
)  # fmt: skip
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

pytestmark = pytest.mark.broker


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


def test_the_tasks_of_one_whose_loop_hangs_are_taken_up_by_another(deployment: Deployment) -> None:
    """Its heartbeats come from another thread, so nothing but the watchdog could tell."""
    deployment.start("w1", hang_tasks=True)
    deployment.wait_ready("w1")
    deployment.produce(TASKS, [("t", json.dumps({"id": "t", "hangs": True}).encode())])
    wait_for((deployment.folder / "t.w1.begun").exists, "the task to begin", deployment)
    hung = time.monotonic()
    deployment.start("w2")
    wait_for(lambda: deployment.ids(DONE) == ["t"], "the task", deployment)
    say(f"w2 took it up within {time.monotonic() - hung:.1f} s")


def test_one_that_is_told_to_stop_ends_its_tasks_and_is_not_waited_for(deployment: Deployment) -> None:
    """No task is executed twice, and the other one has all partitions long before the session is over."""
    for worker in ("w1", "w2"):
        deployment.start(worker, session_timeout_s=60.0, drain_timeout_s=60.0)
    for worker in ("w1", "w2"):
        deployment.wait_ready(worker)
    wait_for(lambda: _has_partitions(deployment, "w1"), "both to share", deployment)
    names = [f"t{number}" for number in range(16)]
    deployment.produce(TASKS, [(name, json.dumps({"id": name, "sleep_s": 2}).encode()) for name in names])
    wait_for(lambda: any(deployment.folder.glob("t*.w1.begun")), "a task to begin", deployment)

    assert deployment.stop("w1") == 0
    after = [f"after{number}" for number in range(100)]
    deployment.produce(IN, events(after))
    wait_for(lambda: set(deployment.ids(OUT)) >= set(after), "the events", deployment)
    wait_for(lambda: set(deployment.ids(DONE)) == set(names), "the tasks", deployment)
    assert sorted(path.name.split(".")[0] for path in deployment.folder.glob("t*.begun")) == sorted(names)


def _has_partitions(deployment: Deployment, worker: str) -> bool:
    """Whether what is sent to all of them is done by it, too."""
    deployment.produce(IN, events([f"probe{time.monotonic_ns()}-{one}" for one in range(20)]))
    return any(row["by"] == worker for row in deployment.rows().values())


def test_stores_that_a_power_cut_has_damaged_are_read_from_the_changelog(deployment: Deployment) -> None:
    """One has lost its table of contents, another was open under another boot: no event is taken for new."""
    deployment.store = "rocksdb"
    deployment.start("w1")
    names = [f"e{number}" for number in range(100)]
    deployment.produce(IN, events(names))
    wait_for(lambda: len(deployment.rows()) == len(names), "the first events", deployment)
    deployment.stop("w1", signal.SIGKILL)
    stores = deployment.folder / "w1" / "dedup"
    (stores / "0" / "CURRENT").write_bytes(b"")
    deployment.start("w1")
    deployment.wait_ready("w1")
    deployment.stop("w1", signal.SIGKILL)
    (stores / "open").write_text("another boot")
    for log in stores.glob("*/*.log"):
        log.write_bytes(b"")
    deployment.start("w1")
    deployment.produce(IN, events([*names, "last"]))
    wait_for(lambda: sum(deployment.committed(IN)) == 2 * len(names) + 1, "all events", deployment)
    outputs = [json.loads(message.value()) for message in deployment.read(OUT)]
    # A replay gives the same output again; an event that is taken for new has another place.
    places = {(output["id"], *output["first"]) for output in outputs}
    assert sorted(place[0] for place in places) == sorted([*names, "last"])
    assert "CURRENT file does not end with newline" in deployment.log("w1")
    assert "was open when the machine went down" in deployment.log("w1")


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
