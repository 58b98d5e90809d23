"""The order of an ordered stage, and what it does when a step fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, ForeignWriter, Unconfirmed
from streams.shell.inbox import Delivery, Inbox
from streams.shell.metrics import NoMetrics
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Outbox
from streams.shell.rows import MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Kept, NotYet, Record, Stage
from streams.shell.table import Recovered, Table
from tests.streams.shell.conftest import TP, FakeProducer, bury
from transport.producer import Send
from transport.settings import KafkaSettings

Deliver = Callable[..., Delivery]
SETTINGS = ShellSettings(KafkaSettings(), "w", Path("unused"))


def keep(record: Record, kept: Kept, now: float) -> Decision:
    """Counts the records in one row and sends the count."""
    if record.value == b"bad":
        raise ValueError("bad")
    count = int(kept.get("count") or b"0") + 1
    value = str(count).encode()
    return Decision([Send("out", record.key, value)], {"count": value})


class Running:
    def __init__(self, stage: Stage, producer: FakeProducer) -> None:
        self.table = Table(stage, MemoryRows())
        self.table.open(0, 0, 0, 1)
        self.inbox = Inbox(SETTINGS.held, asyncio.Event())
        self.runner = OrderedStage(
            stage,
            self.table,
            self.inbox,
            Outbox(producer, retries=1),
            bury,
            settings=SETTINGS,
            clock=lambda: 100.0,
            metrics=NoMetrics(),
        )

    @asynccontextmanager
    async def run(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, Fatal):
                await task


@pytest.fixture
def running(producer: FakeProducer) -> Running:
    return Running(Stage("s", "source", keep, "t"), producer)


async def _finished(assignment: Assignment) -> None:
    async with asyncio.timeout(2):
        while assignment.offsets.unfinished():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def _summary(sends: Sequence[Send]) -> list[tuple[str, bytes | None]]:
    return [(send.topic, send.value) for send in sends]


async def test_outputs_then_rows_then_the_acknowledgement(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    unfinished: list[int] = []
    producer.before = lambda sends: unfinished.append(assignment.offsets.unfinished())
    running.inbox.put(deliver(assignment, [(0, b"a"), (1, b"b")]))
    async with running.run():
        await _finished(assignment)
    assert _summary(producer.sent) == [("out", b"1"), ("out", b"2"), ("changelog.t", b"2")]
    assert unfinished == [2, 2]
    assert assignment.offsets.to_commit() == {TP: 2}
    assert running.table.get(0, "count") == b"2"


async def test_a_record_that_cannot_be_decided_is_a_dead_letter_in_its_place(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    running.inbox.put(deliver(assignment, [(0, b"a"), (1, b"bad"), (2, b"c")]))
    async with running.run():
        await _finished(assignment)
    assert _summary(producer.sent)[:3] == [("out", b"1"), ("dead.letters", b"ValueError"), ("out", b"2")]


async def test_outputs_are_sent_again_before_the_process_gives_up(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    producer.fail = 1
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run():
        await _finished(assignment)
    assert _summary(producer.sent) == [("out", b"1"), ("changelog.t", b"1")]


async def test_unconfirmed_outputs_are_not_acknowledged(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    producer.fail = 2
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run() as task:
        with pytest.raises(Unconfirmed):
            await task
    assert assignment.offsets.to_commit() == {}
    assert running.table.get(0, "count") is None


async def test_unconfirmed_rows_are_not_acknowledged(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    def refuse(sends: Sequence[Send]) -> None:
        producer.fail = int(sends[0].topic == "changelog.t")

    producer.before = refuse
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run() as task:
        with pytest.raises(Unconfirmed):
            await task
    assert assignment.offsets.to_commit() == {}
    assert running.table.get(0, "count") is None


async def test_another_writer_of_our_changelog_ends_the_process(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    producer.ends["changelog.t"] = 0
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run() as task:
        with pytest.raises(ForeignWriter):
            await task
    assert assignment.offsets.to_commit() == {}


async def test_a_late_writer_leaves_the_correction_to_the_owner(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    """Frozen while the rows were sent: they are in the changelog, after those of the next owner."""

    def overtake(sends: Sequence[Send]) -> None:
        if sends[0].topic == "changelog.t":
            producer.ends["changelog.t"] = 5
            assignment.end()

    producer.before = overtake
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run() as task:
        await asyncio.sleep(0.02)
        assert not task.done()
    assert running.table.get(0, "count") is None
    assert assignment.offsets.to_commit() == {}


async def test_nothing_is_written_for_partitions_that_are_gone(
    running: Running, producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    """Voted out between the outputs and the rows."""
    producer.before = lambda sends: assignment.end()
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run():
        await asyncio.sleep(0.02)
        await running.runner.release()
    assert _summary(producer.sent) == [("out", b"1")]
    assert running.table.get(0, "count") is None


async def test_rows_wait_for_a_heartbeat(running: Running, producer: FakeProducer, deliver: Deliver) -> None:
    """A process that was frozen does not know whether it is still a member until it hears so."""
    heard = asyncio.Event()
    assignment = Assignment(1, frozenset({TP}), heard.is_set)
    assignment.offsets.start(TP, 0)
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run():
        await asyncio.sleep(0.1)
        assert producer.sent == []
        heard.set()
        await _finished(assignment)
    assert len(producer.sent) == 2


async def test_a_released_stage_ends_its_turn_and_drops_the_rest(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    def hesitate(record: Record, kept: Kept, now: float) -> Decision:
        if record.offset == 1:
            raise NotYet(never)
        return keep(record, kept, now)

    running = Running(Stage("s", "source", hesitate, "t"), producer)
    running.inbox.put(deliver(assignment, [(0, b"a"), (1, b"b"), (2, b"c")]))
    async with running.run():
        await asyncio.sleep(0.02)
        assignment.released.set()
        async with asyncio.timeout(1):
            await running.runner.release()
    assert _summary(producer.sent) == [("out", b"1"), ("changelog.t", b"1")]
    assert assignment.offsets.to_commit() == {TP: 1}


async def test_due_rows_are_served_without_records(producer: FakeProducer, assignment: Assignment) -> None:
    stage = Stage("s", "source", keep, "t", due=lambda key, value: float(value))
    running = Running(stage, producer)
    rows = [Recovered("early", b"99", None), Recovered("late", b"101", None)]
    running.table.recover(0, rows, 1)
    async with running.run():
        await asyncio.sleep(0.01)
        assert producer.sent == [], "served before the table was said to be complete"
        producer.ends["changelog.t"] = 1
        running.runner.serve(assignment)
        await asyncio.sleep(0.05)
    assert [(send.key, send.value) for send in producer.sent] == [(b"early", None)]
    assert running.table.get(0, "late") == b"101"
