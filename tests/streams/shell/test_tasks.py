import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest

from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, Unconfirmed
from streams.shell.inbox import Delivery, Inbox, Limits
from streams.shell.metrics import NoMetrics, ShellMetrics
from streams.shell.outbox import Outbox
from streams.shell.queues import Queues
from streams.shell.stage import Record, TaskStage
from streams.shell.tasks import ConcurrentStage
from tests.streams.shell.conftest import TP, FakeProducer, bury
from transport.committed import Commit
from transport.producer import Send

Deliver = Callable[..., Delivery]
Execute = Callable[[Record], list[Send] | Coroutine[Any, Any, list[Send]]]


class Gate:
    """An `execute` that each record has to be let through."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self._gates: dict[int, asyncio.Event] = {}

    def open(self, *offsets: int) -> None:
        for offset in offsets:
            self._gate(offset).set()

    async def __call__(self, record: Record) -> list[Send]:
        self.begun.append(record.offset)
        await self._gate(record.offset).wait()
        if record.value == b"bad":
            raise ValueError("bad")
        return [Send("out", record.key, b"%d" % record.offset)]

    def _gate(self, offset: int) -> asyncio.Event:
        return self._gates.setdefault(offset, asyncio.Event())


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox(Limits(100, 10_000), asyncio.Event())


@asynccontextmanager
async def running(
    execute: Execute, inbox: Inbox, producer: FakeProducer, metrics: ShellMetrics | None = None
) -> AsyncIterator[ConcurrentStage]:
    stage = TaskStage("t", ("source",), execute, concurrency=2)
    runner = ConcurrentStage(
        stage, Queues([inbox], inbox.filled), Outbox(producer, retries=0), bury, metrics or NoMetrics()
    )
    task = asyncio.create_task(runner.run())
    try:
        yield runner
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Fatal):
            await task
        await runner.cancel()


async def settle() -> None:
    """Until everything that can go on has: nothing here waits for a thread or a clock."""
    for _ in range(100):
        await asyncio.sleep(0)


async def test_records_are_executed_together_within_the_bound(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    inbox.put(deliver(assignment, [(0, b""), (1, b""), (2, b"")]))
    async with running(gate, inbox, producer):
        await settle()
        assert gate.begun == [0, 1]
        gate.open(1)
        await settle()
        assert gate.begun == [0, 1, 2]
        assert assignment.offsets.to_commit() == {TP: Commit.of(0, {1})}
        gate.open(0, 2)
        await settle()
    assert assignment.offsets.to_commit() == {TP: Commit(3)}


async def test_it_tells_how_long_the_first_of_those_that_begin_has_waited(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    class Waited(NoMetrics):
        told: ClassVar[list[tuple[str, float]]] = []

        def waited(self, topic: str, delay_s: float) -> None:
            self.told.append((topic, delay_s))

    inbox.put(deliver(assignment, [(0, b""), (1, b""), (2, b"")]))
    async with running(gate, inbox, producer, Waited()):
        await settle()
    [(topic, delay_s)] = Waited.told
    assert topic == "source"
    assert delay_s > 50 * 365 * 86_400, "they were written in 1970"


async def test_what_an_owner_before_has_done_is_not_done_again(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    assignment.offsets.start(TP, Commit.of(0, {1, 2}))
    inbox.put(deliver(assignment, [(0, b""), (1, b""), (2, b""), (3, b"")]))
    gate.open(0, 1, 2, 3)
    async with running(gate, inbox, producer):
        await settle()
    assert gate.begun == [0, 3]
    assert assignment.offsets.to_commit() == {TP: Commit(4)}


async def test_a_failed_task_is_a_dead_letter(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    inbox.put(deliver(assignment, [(0, b"bad")]))
    gate.open(0)
    async with running(gate, inbox, producer):
        await settle()
    assert [(send.topic, send.value) for send in producer.sent] == [("dead.letters", b"ValueError")]
    assert assignment.offsets.to_commit() == {TP: Commit(1)}


async def test_unconfirmed_results_are_not_acknowledged(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    producer.fail = 1
    inbox.put(deliver(assignment, [(0, b"")]))
    gate.open(0)
    with pytest.raises(Unconfirmed):
        async with running(gate, inbox, producer):
            await settle()
    assert assignment.offsets.to_commit() == {}


async def test_a_task_that_outlives_a_rebalance_is_not_executed_twice(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    inbox.put(deliver(assignment, [(0, b"")]))
    later = Assignment(2, assignment.partitions, lambda: True)
    later.offsets.start(TP, Commit(0))
    async with running(gate, inbox, producer) as runner:
        await settle()
        await runner.release(grace_s=0.01)
        assignment.end()
        inbox.put(deliver(later, [(0, b"")]))
        await settle()
        gate.open(0)
        await settle()
    assert gate.begun == [0]
    assert later.offsets.to_commit() == {TP: Commit(1)}
    assert assignment.offsets.to_commit() == {}


async def test_a_task_whose_partition_is_gone_acknowledges_nothing(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    inbox.put(deliver(assignment, [(0, b"")]))
    async with running(gate, inbox, producer) as runner:
        await settle()
        await runner.release(grace_s=0.01)
        assignment.end()
        gate.open(0)
        await settle()
    assert assignment.offsets.to_commit() == {}


async def test_a_cancelled_task_acknowledges_nothing(
    gate: Gate, inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    inbox.put(deliver(assignment, [(0, b"")]))
    async with running(gate, inbox, producer) as runner:
        await settle()
        await runner.cancel()
    assert assignment.offsets.to_commit() == {}
    assert producer.sent == []


async def test_what_runs_is_bounded_by_bytes_as_well(
    gate: Gate,
    inbox: Inbox,
    producer: FakeProducer,
    assignment: Assignment,
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.shell.tasks._RUNNING_BYTES", 10)
    monkeypatch.setattr("streams.shell.tasks._ONE_BATCH_BYTES", 10)
    for one in ((0, b"x" * 20), (1, b"")):
        inbox.put(deliver(assignment, [one]))
    async with running(gate, inbox, producer):
        await settle()
        assert gate.begun == [0], "though there is a place for another one"
        gate.open(0, 1)
        async with asyncio.timeout(10):
            while assignment.offsets.unfinished():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert gate.begun == [0, 1]
    assert assignment.offsets.to_commit() == {TP: Commit(2)}


def at_once(record: Record) -> list[Send]:
    """An `execute` that waits for nothing."""
    if record.value == b"bad":
        raise ValueError("bad")
    return [Send("out", record.key, b"%d" % record.offset)]


async def test_what_is_done_as_it_comes_is_sent_together_and_then_acknowledged(
    inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    batches, commits = [], []

    def before(sends: Sequence[Send]) -> None:
        batches.append([send.value for send in sends])
        commits.append(assignment.offsets.to_commit())

    producer.before = before
    inbox.put(deliver(assignment, [(0, b""), (1, b"bad"), (2, b"")]))
    async with running(at_once, inbox, producer):
        await settle()
    assert batches == [[b"0", b"ValueError"], [b"2"]], "no more than its concurrency at a time"
    assert commits == [{}, {TP: Commit(2)}]
    assert assignment.offsets.to_commit() == {TP: Commit(3)}


async def test_what_is_done_as_it_comes_is_not_acknowledged_unsent(
    inbox: Inbox, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    producer.fail = 1
    inbox.put(deliver(assignment, [(0, b""), (1, b"")]))
    with pytest.raises(Unconfirmed):
        async with running(at_once, inbox, producer):
            await settle()
    assert assignment.offsets.to_commit() == {}


async def test_a_released_assignment_begins_nothing_more(
    inbox: Inbox,
    producer: FakeProducer,
    assignment: Assignment,
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.shell.tasks.SLICE_S", 0.0)  # So the loop has its turn between two records.

    def released_by_the_first(record: Record) -> list[Send]:
        assignment.released.set()
        return at_once(record)

    inbox.put(deliver(assignment, [(0, b""), (1, b"")]))
    async with running(released_by_the_first, inbox, producer):
        await settle()
    assert [send.value for send in producer.sent] == [b"0"]
    assert assignment.offsets.to_commit() == {TP: Commit(1)}
