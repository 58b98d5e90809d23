"""When an ordered stage looks at rows that are due, and how long its turns are."""

import asyncio
import time
from typing import ClassVar

import pytest

from streams.shell import ordered
from streams.shell.assignment import Assignment
from streams.shell.metrics import NoMetrics
from streams.shell.offsets import TopicPartition
from streams.shell.replay import Recovered
from streams.shell.stage import Decision, Kept, Record, Stage
from tests.streams.shell.conftest import TP, FakeProducer
from tests.streams.shell.test_ordered import Deliver, Running, _finished, keep
from transport.committed import Commit
from transport.producer import Send


async def test_due_rows_are_served_without_records(producer: FakeProducer, assignment: Assignment) -> None:
    stage = Stage("s", "source", keep, "t", due=lambda key, value: float(value))
    running = Running(stage, producer)
    rows = [Recovered("early", b"99", None, 0), Recovered("late", b"101", None, 1)]
    running.table.recover(0, rows, 1)
    async with running.run():
        await asyncio.sleep(0.01)
        assert producer.sent == [], "served before the table was said to be complete"
        producer.ends["changelog.t"] = 1
        running.runner.serve(assignment)
        await asyncio.sleep(0.05)
    assert [(send.key, send.value) for send in producer.sent] == [(b"early", None)]
    assert running.table.get(0, "late") == b"101"


async def test_a_row_that_stays_due_is_served_again_when_it_says(
    producer: FakeProducer, assignment: Assignment
) -> None:
    def tell(key: str, value: bytes, kept: Kept, now: float) -> Decision:
        return Decision([Send("out", key.encode(), b"it is time")], again_s=60)

    stage = Stage("s", "source", keep, "t", due=lambda key, value: float(value), on_due=tell)
    running = Running(stage, producer)
    running.table.recover(0, [Recovered("row", b"99", None, 0)], 0)
    async with running.run():
        running.runner.serve(assignment)
        await asyncio.sleep(0.05)
    assert [send.key for send in producer.sent] == [b"row"]
    assert running.table.next_due({0}) == 160.0


async def test_what_is_decided_does_not_wait_for_all_the_records_behind_it(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a row that becomes due meanwhile."""
    monkeypatch.setattr(ordered, "_TURN_S", 0.0)
    sent_before: list[int] = []

    def slowly(record: Record, kept: Kept, now: float) -> Decision:
        sent_before.append(len(producer.sent))
        time.sleep(0.006)
        return Decision([Send("out", record.key, record.value)])

    running = Running(Stage("s", "source", slowly, "t"), producer)
    running.inbox.put(deliver(assignment, [(0, b"a"), (1, b"b"), (2, b"c")]))
    async with running.run():
        async with asyncio.timeout(5):
            while assignment.offsets.unfinished():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert sent_before == [0, 1, 2]


async def test_records_are_decided_as_if_nothing_had_been_due(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    """Whoever decides them again after a crash has not served it yet."""

    def found(record: Record, kept: Kept, now: float) -> Decision:
        return Decision([Send("out", record.key, kept.get("row"))], {"row": b"200"})

    def again(key: str, value: bytes, kept: Kept, now: float) -> Decision:
        raise AssertionError("it is not due any more")

    stage = Stage("s", "source", found, "t", due=lambda key, value: float(value), on_due=again)
    running = Running(stage, producer)
    running.table.recover(0, [Recovered("row", b"99", None, 0)], 0)
    producer.ends["changelog.t"] = 1
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run():
        running.runner.serve(assignment)
        await asyncio.sleep(0.05)
    assert [(send.topic, send.value) for send in producer.sent] == [("out", b"99"), ("changelog.t", b"200")]


async def test_rows_wait_for_the_backlog_of_their_own_partition(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    def decide(record: Record, kept: Kept, now: float) -> Decision:
        return Decision([Send("out", record.key, record.value)])

    running = Running(Stage("s", "source", decide, "t", due=lambda key, value: float(value)), producer)
    running.table.open(1, 0, 0, 1)
    for partition, key in enumerate(("behind", "caught up")):
        running.table.recover(partition, [Recovered(key, b"99", None, 0)], 0)
    assignment.offsets.start(TP, Commit(0), 2)
    assignment.offsets.start(TopicPartition(TP.topic, 1), Commit(5), 5)
    rows: list[bytes | None] = []

    async def served(*keys: bytes) -> None:
        async with asyncio.timeout(5):
            while rows != list(keys):
                await asyncio.sleep(0.001)
                rows[:] = [send.key for send in producer.sent if send.topic == "changelog.t"]
        producer.ends["changelog.t"] = 0  # those of the other partition have offsets of their own

    producer.ends["changelog.t"] = 0
    async with running.run():
        running.runner.serve(assignment)
        await served(b"caught up")
        running.inbox.put(deliver(assignment, [(0, b"a")]))
        await _finished(assignment)
        await served(b"caught up")
        running.inbox.put(deliver(assignment, [(1, b"b")]))
        await served(b"caught up", b"behind")


async def test_it_tells_how_late_rows_are_served_and_how_long_records_have_waited(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    class Told(NoMetrics):
        dues: ClassVar[list[tuple[str, int, float]]] = []
        batches: ClassVar[list[tuple[str, int, float]]] = []

        def due(self, stage: str, rows: int, late_s: float) -> None:
            self.dues.append((stage, rows, late_s))

        def batch(self, stage: str, records: int, seconds: float, delay_s: float) -> None:
            self.batches.append((stage, records, round(delay_s - seconds)))

    stage = Stage("s", "source", keep, "t", due=lambda key, value: None if key == "count" else float(value))
    running = Running(stage, producer, metrics=Told())
    running.table.recover(0, [Recovered("late", b"98", None, 0), Recovered("later", b"90", None, 1)], 1)
    producer.ends["changelog.t"] = 1
    async with running.run():
        running.runner.serve(assignment)
        await asyncio.sleep(0.05)
        running.inbox.put(deliver(assignment, [(0, b"a"), (1, b"b")]))
        async with asyncio.timeout(5):
            while assignment.offsets.unfinished():  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert Told.dues == [("s", 2, 10.0)]
    assert Told.batches == [("s", 2, 100)], "they were written in 1970, and it is a hundred seconds later"
