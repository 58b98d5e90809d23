"""One shell worker as a process of its own, with a fault to inject: `shell_process.py '<json>'`.

Stages: `IN` is deduplicated into `OUT`; `TASKS` are executed into `DONE`.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

import uvloop

from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Kept, Record, Stage, TaskStage
from streams.shell.worker import Worker
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

sys.path.insert(0, str(Path(__file__).parent))
import shell_faults
from shell_harness import DONE, IN, OUT, TASKS

OPTIONS = json.loads(sys.argv[1])
WORKER = OPTIONS["worker_id"]
FOLDER = Path(OPTIONS["data_dir"])
WINDOW_S = OPTIONS.get("window_s", 3600.0)


def decide(record: Record, kept: Kept, now: float) -> Decision:
    """Forwards the first record of each id, also when that same record is replayed."""
    event = json.loads(record.value)  # type: ignore[arg-type]
    key = event["id"]
    place = [record.partition, record.offset]
    row = kept.get(key)
    if row is not None and json.loads(row)["first"] != place:
        return Decision()
    entry = {"first": place, "until": record.timestamp_ms / 1000 + WINDOW_S, "by": WORKER}
    output = Send(OUT, record.key, json.dumps({"id": key, "first": place, "by": WORKER}).encode())
    return Decision([output], {key: json.dumps(entry).encode()})


def due(key: str, value: bytes) -> float:
    until: float = json.loads(value)["until"]
    return until


async def execute(record: Record) -> list[Send]:
    """Sleeps as long as the task says; a task that `blocks` does so in the first life of a worker only."""
    task = json.loads(record.value)  # type: ignore[arg-type]
    (FOLDER / f"{task['id']}.{WORKER}.begun").touch()
    if task.get("blocks") and OPTIONS.get("block_tasks"):
        (FOLDER / "blocked").touch()
        await asyncio.sleep(3600)
    if task.get("hangs") and OPTIONS.get("hang_tasks"):
        time.sleep(3600)  # noqa: ASYNC251 - nothing of this worker's loop goes on any more
    await asyncio.sleep(task.get("sleep_s", 0))
    return [Send(DONE, record.key, json.dumps({"id": task["id"], "by": WORKER}).encode())]


def dead_letter(stage: str, record: Record, error: BaseException) -> Send:
    reason = f"{type(error).__name__} at {record.topic}/{record.partition}/{record.offset}"
    return Send("dead.letters", record.key, reason.encode())


async def mark_ready(worker: Worker) -> None:
    await worker.ready.wait()
    (FOLDER / f"{WORKER}.{os.getpid()}.ready").touch()


async def main() -> int:
    kafka = KafkaSettings(
        bootstrap_servers=OPTIONS["bootstrap"],
        topic_prefix=OPTIONS["prefix"],
        partitions=OPTIONS["partitions"],
    )
    settings = ShellSettings(
        kafka,
        WORKER,
        FOLDER,
        store=OPTIONS["store"],
        task_grace_s=OPTIONS.get("task_grace_s", 0.5),
        drain_timeout_s=OPTIONS.get("drain_timeout_s", 0.5),
        session_timeout_s=OPTIONS.get("session_timeout_s", 6.0),
    )
    producer = Producer(kafka, message_timeout_s=20)
    shell_faults.inject(OPTIONS.get("fault"))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    worker = Worker(
        settings,
        [Stage("dedup", IN, decide, "dedup", due)],
        [TaskStage("tasks", (TASKS,), execute, concurrency=4)],
        producer,
        dead_letter,
        clock=lambda: time.time() + OPTIONS.get("clock_ahead_s", 0.0),
    )
    await worker.start()
    marker = asyncio.create_task(mark_ready(worker))
    code = await worker.run_until(stop)
    marker.cancel()
    await producer.close()
    return code


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    sys.exit(uvloop.run(main()))
