"""The order of an ordered stage, and what it does when a step fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, ForeignWriter, Unconfirmed
from streams.shell.inbox import Delivery, Inbox
from streams.shell.metrics import NoMetrics, ShellMetrics
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import Keep, Outbox
from streams.shell.replay import Recovered
from streams.shell.rows import MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, Held, Kept, NotYet, Record, Stage
from streams.shell.table import Table
from tests.streams.shell.conftest import TP, FakeProducer, bury
from transport.committed import Commit
from transport.errors import StorageUnavailable
from transport.producer import Send
from transport.settings import KafkaSettings
from transport.values import Upload

Deliver = Callable[..., Delivery]
SETTINGS = ShellSettings(KafkaSettings(topic_prefix="p."), "w", Path("unused"))


def keep(record: Record, kept: Kept, now: float) -> Decision:
    """Counts the records in one row and sends the count."""
    if record.value == b"bad":
        raise ValueError("bad")
    count = int(kept.get("count") or b"0") + 1
    value = str(count).encode()
    return Decision([Send("out", record.key, value)], {"count": value})


class Running:
    def __init__(
        self,
        stage: Stage,
        producer: FakeProducer,
        upload: Keep | None = None,
        clock: Callable[[], float] = lambda: 100.0,
        metrics: ShellMetrics | None = None,
    ) -> None:
        self.table = Table(stage, MemoryRows())
        self.table.open(0, 0, 0, 1)
        self.inbox = Inbox(SETTINGS.held, asyncio.Event())
        self.runner = OrderedStage(
            stage,
            self.table,
            self.inbox,
            Outbox(producer, retries=1, keep=upload),
            bury,
            settings=SETTINGS,
            clock=clock,
            metrics=metrics or NoMetrics(),
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
    assert assignment.offsets.to_commit() == {TP: Commit(2)}
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
    assignment.offsets.start(TP, Commit(0))
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
    assert assignment.offsets.to_commit() == {TP: Commit(1)}


async def test_rows_that_are_due_wait_for_what_the_owner_before_may_have_decided(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    """It has sent what followed, but kept no row: here the record must find the rows that it found there."""
    assignment.offsets.start(TP, Commit(0), 1)

    def decide(record: Record, kept: Kept, now: float) -> Decision:
        return Decision([Send("out", record.key, kept.get("row"))])

    running = Running(Stage("s", "source", decide, "t", due=lambda key, value: float(value)), producer)
    running.table.recover(0, [Recovered("row", b"50", None, 0)], 0)
    producer.ends["changelog.t"] = 0
    running.runner.serve(assignment)
    async with running.run():
        await asyncio.sleep(0.02)
        assert running.table.get(0, "row") == b"50"
        running.inbox.put(deliver(assignment, [(0, b"a")]))
        async with asyncio.timeout(2):
            while running.table.get(0, "row") is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert _summary(producer.sent) == [("out", b"50"), ("changelog.t", None)]


async def test_uploads_come_before_whatever_refers_to_them(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    def decide(record: Record, kept: Kept, now: float) -> Decision:
        decision = keep(record, kept, now)
        decision.uploads.append(Upload("values/1", record.value or b""))
        return decision

    order: list[str] = []

    async def upload(uploads: Sequence[Upload]) -> None:
        order.extend(one.key for one in uploads)

    producer.before = lambda sends: order.extend(send.topic for send in sends)
    running = Running(Stage("s", "source", decide, "t"), producer, upload)
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run():
        await _finished(assignment)
    assert order == ["values/1", "out", "changelog.t"]


async def test_what_cannot_be_uploaded_is_not_acknowledged(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver
) -> None:
    async def refuse(uploads: Sequence[Upload]) -> None:
        raise StorageUnavailable("not now")

    def decide(record: Record, kept: Kept, now: float) -> Decision:
        return Decision([Send("out", None, b"1")], uploads=[Upload("values/1", b"1")])

    running = Running(Stage("s", "source", decide, "t"), producer, refuse)
    running.inbox.put(deliver(assignment, [(0, b"a")]))
    async with running.run() as task:
        with pytest.raises(Unconfirmed):
            await task
    assert producer.sent == []
    assert assignment.offsets.to_commit() == {}


async def test_a_turn_ends_when_there_is_much_to_upload(
    producer: FakeProducer, assignment: Assignment, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.shell.ordered._UPLOAD_BYTES", 2)

    def decide(record: Record, kept: Kept, now: float) -> Decision:
        return Decision(uploads=[Upload("values/1", b"1")])

    turns: list[int] = []

    async def upload(uploads: Sequence[Upload]) -> None:
        turns.append(len(uploads))

    running = Running(Stage("s", "source", decide, "t"), producer, upload)
    running.inbox.put(deliver(assignment, [(n, b"a") for n in range(5)]))
    async with running.run():
        await _finished(assignment)
    assert turns == [2, 2, 1]


async def test_a_row_that_cannot_be_served_is_a_dead_letter_and_goes_with_its_parts(
    producer: FakeProducer, assignment: Assignment
) -> None:
    def on_due(key: str, value: bytes, kept: Kept, now: float) -> Decision:
        raise ValueError("bad")

    def due(key: str, value: bytes) -> float | None:
        return 1.0 if key == "r" else None

    running = Running(Stage("s", "source", keep, "t", due=due, on_due=on_due), producer)
    rows = [Recovered(key, b"x", None, offset) for offset, key in enumerate(("r", "r/a", "r/b", "s/a"))]
    running.table.recover(0, rows, 3)
    producer.ends["changelog.t"] = 3
    running.runner.serve(assignment)
    async with running.run():
        async with asyncio.timeout(2):
            while running.table.get(0, "r") is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert dict(running.table.items(0)) == {"s/a": b"x"}
    assert _summary(producer.sent)[0] == ("dead.letters", b"ValueError")


@pytest.mark.parametrize("is_late", [False, True])
async def test_a_row_that_is_due_may_wait_for_what_it_needs(
    is_late: bool, producer: FakeProducer, assignment: Assignment
) -> None:
    here = asyncio.Event()

    async def bring() -> None:
        here.set()
        if is_late:
            raise TimeoutError

    def on_due(key: str, value: bytes, kept: Kept, now: float) -> Decision:
        if not here.is_set():
            raise NotYet(bring)
        return Decision([Send("out", None, b"due")], {key: None})

    clock = [100.0]
    stage = Stage("s", "source", keep, "t", due=lambda key, value: float(value), on_due=on_due)
    running = Running(stage, producer, clock=lambda: clock[0])
    running.table.recover(0, [Recovered("row", b"50", None, 0)], 0)
    running.runner.serve(assignment)
    async with running.run():
        await asyncio.wait_for(here.wait(), 2)
        assert producer.sent == []
        clock[0] += 10
        async with asyncio.timeout(2):
            while not producer.sent:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
    assert _summary(producer.sent)[0] == ("out", b"due")


class Beside:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, held: Held) -> None:
        self.told.append(dict(held.items(0)))

    async def end(self) -> None:
        self.told.append("end")


async def test_a_companion_goes_on_while_the_partitions_are_here(
    producer: FakeProducer, assignment: Assignment
) -> None:
    beside = Beside()
    running = Running(Stage("s", "source", keep, "t", companion=beside), producer)
    running.table.recover(0, [Recovered("count", b"5", None, 0)], 0)
    async with running.run():
        running.runner.serve(assignment)
        assert beside.told == [{"count": b"5"}]
        await running.runner.release()
        assert beside.told[1:] == ["end"]
