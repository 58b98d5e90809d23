"""A worker in this process, on a real broker: dead letters, waiting decisions, expiry, restarts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from schemas.topics import MAX_MESSAGE_BYTES
from streams.shell.errors import TopicsUnfit
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage, TaskStage
from streams.shell.worker import Worker
from tests.integration.shell_harness import DONE, IN, OUT, PARTITIONS, PATIENCE_S, TASKS, Deployment, events
from transport.committed import CommittedOffsets
from transport.errors import BrokerUnreachable
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

pytestmark = pytest.mark.broker

WINDOW_S = 100.0


class ManualClock:
    """Moves when it is told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Counts:
    """`ShellMetrics` that remembers what matters here."""

    def __init__(self) -> None:
        self.due_rows = 0
        self.reasons: list[str] = []

    def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None: ...

    def task(self, stage: str, seconds: float) -> None: ...

    def waited(self, topic: str, delay_s: float) -> None: ...

    def dead_letter(self, stage: str, reason: str) -> None:
        self.reasons.append(reason)

    def due(self, stage: str, rows: int, late_s: float) -> None:
        self.due_rows += rows

    def ready(self, partitions: int, seconds: float) -> None: ...


def remember(record: Record, kept: Kept, now: float) -> Decision:
    """Forwards an id once in a window."""
    key = json.loads(record.value)["id"]  # type: ignore[arg-type]
    if kept.get(key) is not None:
        return Decision()
    row = json.dumps({"until": now + WINDOW_S}).encode()
    return Decision([Send(OUT, record.key, record.value)], {key: row})


def until(key: str, value: bytes) -> float:
    when: float = json.loads(value)["until"]
    return when


def bury(stage: str, record: Record, error: BaseException) -> Send:
    return Send("dead.letters", record.key, f"{record.offset} {type(error).__name__}".encode())


@pytest.fixture
def deployment(broker: str, topic_prefix: str, tmp_path: Path) -> Deployment:
    deployment = Deployment(broker, topic_prefix, tmp_path)
    deployment.create_topics()
    return deployment


@asynccontextmanager
async def running(
    deployment: Deployment,
    *stages: Stage,
    tasks: tuple[TaskStage, ...] = (),
    store: str = "memory",
    clock: Callable[[], float] | None = None,
    counts: Counts | None = None,
) -> AsyncIterator[Worker]:
    kafka = KafkaSettings(
        bootstrap_servers=deployment.bootstrap, topic_prefix=deployment.prefix, partitions=PARTITIONS
    )
    settings = ShellSettings(kafka, "w1", deployment.folder, store=store, due_poll_s=0.05, topics_wait_s=1)  # type: ignore[arg-type]
    producer = Producer(kafka, message_timeout_s=20)
    more = {} if clock is None else {"clock": clock}
    worker = Worker(settings, stages, tasks, producer, bury, metrics=counts, **more)  # type: ignore[arg-type]
    await worker.start()
    try:
        await worker.ready.wait()
        yield worker
    finally:
        await worker.stop()
        await producer.close()


async def eventually(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(done):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_cannot_be_decided_goes_to_the_dead_letters(deployment: Deployment) -> None:
    poison = [("bad", b"{{"), ("none", None), ("good", b'{"id": "good"}')]
    deployment.produce(IN, poison, partition=0)
    deployment.produce(TASKS, poison, partition=0)

    async def execute(record: Record) -> list[Send]:
        return [Send(DONE, record.key, json.dumps(json.loads(record.value)).encode())]  # type: ignore[arg-type]

    counts = Counts()
    tasks = TaskStage("tasks", (TASKS,), execute, concurrency=4)
    async with running(deployment, Stage("s", IN, remember, "dedup"), tasks=(tasks,), counts=counts):
        await eventually(lambda: deployment.committed(IN)[0] == 3 and deployment.committed(TASKS)[0] == 3)
    assert deployment.ids(OUT) == ["good"]
    assert deployment.ids(DONE) == ["good"]
    letters = sorted(message.value() for message in deployment.read("dead.letters"))
    assert letters == sorted([b"0 JSONDecodeError", b"1 TypeError"] * 2)
    assert sorted(counts.reasons) == ["JSONDecodeError"] * 2 + ["TypeError"] * 2


async def test_what_is_done_behind_a_task_that_takes_long_is_not_done_again(deployment: Deployment) -> None:
    deployment.produce(TASKS, events(["long", "b", "c"]), partition=0)
    begun: list[str] = []
    ending = asyncio.Event()

    async def execute(record: Record) -> list[Send]:
        begun.append(json.loads(record.value)["id"])  # type: ignore[arg-type]
        if begun[-1] == "long":
            await ending.wait()
        return [Send(DONE, record.key, record.value)]

    tasks = TaskStage("tasks", (TASKS,), execute, concurrency=4)
    async with running(deployment, tasks=(tasks,)):
        await eventually(lambda: sorted(deployment.ids(DONE)) == ["b", "c"])
    kafka = KafkaSettings(bootstrap_servers=deployment.bootstrap, topic_prefix=deployment.prefix)
    with closing(CommittedOffsets(kafka, f"{deployment.prefix}workers")) as known:
        asked = [TopicPartition(deployment.prefix + TASKS, 0)]
        told = [known.of(asked, PATIENCE_S)[asked[0].topic, 0].done for _ in range(20)]
    assert told == [{1, 2}] * 20, "each time the same: nothing is read beyond the end of the metadata"
    begun.clear()
    ending.set()
    async with running(deployment, tasks=(tasks,)):
        await eventually(lambda: deployment.committed(TASKS)[0] == 3)
    assert begun == ["long"]
    assert sorted(deployment.ids(DONE)) == ["b", "c", "long"]


async def test_a_decision_too_large_for_kafka_is_a_dead_letter(deployment: Deployment) -> None:
    def swell(record: Record, kept: Kept, now: float) -> Decision:
        return Decision([Send(OUT, record.key, bytes(MAX_MESSAGE_BYTES))])

    deployment.produce(IN, events(["e1"]), partition=0)
    async with running(deployment, Stage("s", IN, swell)):
        await eventually(lambda: deployment.committed(IN)[0] == 1)
    assert [message.value() for message in deployment.read("dead.letters")] == [b"0 TooLarge"]


async def test_a_decision_that_waits_keeps_the_order(deployment: Deployment) -> None:
    here = asyncio.Event()
    asked: list[str] = []

    async def wait() -> None:
        await here.wait()

    def hesitate(record: Record, kept: Kept, now: float) -> Decision:
        key = json.loads(record.value)["id"]  # type: ignore[arg-type]
        asked.append(key)
        if key == "e2" and not here.is_set():
            raise NotYet(wait)
        return Decision([Send(OUT, record.key, record.value)])

    deployment.produce(IN, events(["e1", "e2", "e3"]), partition=0)
    async with running(deployment, Stage("s", IN, hesitate)):
        await eventually(lambda: deployment.ids(OUT) == ["e1"])
        here.set()
        await eventually(lambda: deployment.ids(OUT) == ["e1", "e2", "e3"])
    assert asked == ["e1", "e2", "e2", "e3"]


@pytest.mark.parametrize("store", ["memory", "rocksdb"])
async def test_rows_survive_a_restart_and_expire_after_it(deployment: Deployment, store: str) -> None:
    """What Faust's windows do not: keys recovered after a restart never expire there."""
    clock, counts = ManualClock(1_000_000.0), Counts()
    stage = Stage("s", IN, remember, "dedup", until)
    names = [f"e{number}" for number in range(50)]
    deployment.produce(IN, events(names))
    async with running(deployment, stage, store=store, clock=clock):
        await eventually(lambda: sorted(deployment.ids(OUT)) == sorted(names))

    deployment.produce(IN, events(names))
    async with running(deployment, stage, store=store, clock=clock, counts=counts) as worker:
        await eventually(lambda: sum(deployment.committed(IN)) == 2 * len(names))
        assert len(deployment.ids(OUT)) == len(names), "the rows were not there after the restart"
        clock.now += WINDOW_S - 1
        await asyncio.sleep(0.2)
        assert counts.due_rows == 0
        clock.now += 2
        await eventually(lambda: deployment.rows() == {})
        assert counts.due_rows == len(names)
        assert _kept(worker) == 0, "the store did not shrink"
        deployment.produce(IN, events(names))
        await eventually(lambda: len(deployment.ids(OUT)) == 2 * len(names))


async def test_due_rows_do_more_than_expire(deployment: Deployment) -> None:
    """A timer: sends something, changes its row, and a row whose handler fails is a dead letter."""
    clock = ManualClock(1_000_000.0)

    def on_due(key: str, value: bytes, kept: Kept, now: float) -> Decision:
        if key == "bad":
            raise RuntimeError("no")
        fired = json.loads(value).get("fired", 0) + 1
        row = {"until": now + WINDOW_S, "fired": fired} if fired < 3 else None
        output = json.dumps({"id": f"{key}-{fired}"}).encode()
        return Decision([Send(DONE, key.encode(), output)], {key: json.dumps(row).encode() if row else None})

    deployment.produce(IN, events(["good", "bad"]))
    async with running(deployment, Stage("s", IN, remember, "dedup", until, on_due), clock=clock):
        await eventually(lambda: len(deployment.rows()) == 2)
        for fired in range(1, 4):
            clock.now += WINDOW_S + 1
            await eventually(lambda fired=fired: len(deployment.ids(DONE)) == fired)  # type: ignore[misc]
        await eventually(lambda: deployment.rows() == {})
    assert deployment.ids(DONE) == ["good-1", "good-2", "good-3"]
    assert [message.value() for message in deployment.read("dead.letters")] == [b"-1 RuntimeError"]


def _kept(worker: Worker) -> int:
    return sum(
        sum(1 for _ in table._rows.items(partition))
        for table in worker._tables.values()
        for partition in table.partitions
    )


async def test_missing_topics_are_named(broker: str, topic_prefix: str, tmp_path: Path) -> None:
    nowhere = Deployment(broker, topic_prefix, tmp_path)
    with pytest.raises(TopicsUnfit, match=f"{topic_prefix}changelog.dedup, {topic_prefix}{IN}"):
        async with running(nowhere, Stage("s", IN, remember, "dedup")):
            pass


async def test_a_broker_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.admin._REACH_TIMEOUT_S", 0.5)
    nowhere = Deployment("127.0.0.1:1", "p.", tmp_path)
    with pytest.raises(BrokerUnreachable):
        async with running(nowhere, Stage("s", IN, remember, "dedup")):
            pass


async def test_a_row_whose_time_cannot_be_told_is_a_dead_letter(deployment: Deployment) -> None:
    def broken(record: Record, kept: Kept, now: float) -> Decision:
        return Decision(writes={"e1": b"not json"})

    deployment.produce(IN, events(["e1"]))
    async with running(deployment, Stage("s", IN, broken, "dedup", until)):
        await eventually(lambda: len(deployment.read("dead.letters")) == 1)
        await eventually(lambda: len(deployment.read("changelog.dedup")) == 2)
    assert [message.value() for message in deployment.read("dead.letters")] == [b"-1 JSONDecodeError"]
