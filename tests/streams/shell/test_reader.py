"""The reader on a source that misbehaves at the worst moment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, OffsetGap, Stalled
from streams.shell.inbox import Inbox, Limits
from streams.shell.offsets import TopicPartition
from streams.shell.outbox import Outbox
from streams.shell.reader import Reader
from streams.shell.rows import MemoryRows
from streams.shell.stage import Decision, Record, Stage
from streams.shell.table import Table
from tests.streams.shell.conftest import FakeProducer
from transport.committed import Commit
from transport.errors import BrokerUnreachable

SOURCE = TopicPartition("p.source", 0)
CHANGELOG = TopicPartition("p.changelog.t", 0)


def raw(
    offset: int,
    value: bytes | None = b"v",
    key: bytes | None = b"k",
    headers: Sequence[tuple[str, bytes]] = (),
) -> Record:
    return Record("source", 0, offset, key, value, headers, 0)


@dataclass
class FakeSource:
    """Logs in memory; `during_fetch` is called after a fetch has read and before it returns."""

    logs: dict[TopicPartition, list[Record]]
    commits: dict[TopicPartition, int] = field(default_factory=dict)
    first: dict[TopicPartition, int] = field(default_factory=dict)
    at: dict[TopicPartition, int] = field(default_factory=dict)
    during_fetch: Callable[[], None] = lambda: None
    calls: list[str] = field(default_factory=list)

    async def fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> Mapping[TopicPartition, list[Record]]:
        await asyncio.sleep(0)
        found: dict[TopicPartition, list[Record]] = {}
        for tp in partitions:
            records = [one for one in self.logs[tp] if one.offset >= self.at[tp]]
            if records:
                found[tp] = records
                self.at[tp] = records[-1].offset + 1
        self.calls.append(f"fetch {sorted(tp.topic for tp in partitions)}")
        self.during_fetch()
        await asyncio.sleep(0 if found else 0.005)
        return found

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        return {tp: Commit(self.commits[tp]) for tp in partitions if tp in self.commits}

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {tp: (self.first.get(tp, 0), self._end(tp)) for tp in partitions}

    async def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        self.at = dict(positions)
        self.calls.append(f"read {sorted((tp.topic, at) for tp, at in positions.items())}")

    async def look(self) -> None:
        """Nothing ails the group."""

    def position(self, partition: TopicPartition) -> int:
        # A compacted log may end in a hole, which a fetch steps over.
        return self._end(partition) if self._drained(partition) else self.at[partition]

    def _end(self, tp: TopicPartition) -> int:
        return self.logs[tp][-1].offset + 1 if self.logs[tp] else 0

    def _drained(self, tp: TopicPartition) -> bool:
        return not any(one.offset >= self.at[tp] for one in self.logs[tp])


@dataclass
class Parts:
    source: FakeSource
    inbox: Inbox
    table: Table
    reader: Reader
    ready: list[Assignment]

    def assign(self, generation: int = 1) -> Assignment:
        made = Assignment(generation, frozenset(self.source.logs), lambda: True)
        self.reader.assign(made)
        return made

    def delivered(self) -> list[tuple[int, int]]:
        """Generation and offset of everything in the inbox."""
        taken = []
        while deliveries := self.inbox.take(Limits(10_000, 10_000_000)):
            taken += [(d.assignment.generation, r.offset) for d in deliveries for r in d.records]
        return taken


@pytest.fixture
def parts(producer: FakeProducer) -> Parts:
    source = FakeSource({SOURCE: [raw(offset) for offset in range(10)], CHANGELOG: []})
    room = asyncio.Event()
    inbox = Inbox(Limits(8, 10_000), room)
    table = Table(Stage("s", "source", lambda *_: Decision(), "t"), MemoryRows())
    ready: list[Assignment] = []
    reader = Reader(
        source,
        {SOURCE.topic: inbox},
        {CHANGELOG.topic: table},
        outbox=Outbox(producer, retries=0),
        room=room,
        on_ready=ready.append,
    )
    return Parts(source, inbox, table, reader, ready)


@asynccontextmanager
async def running(parts: Parts) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(parts.reader.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Fatal):
            await task


async def eventually(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_recovery_says_how_much_is_left(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [raw(offset, b"1", b"%d" % offset) for offset in range(6)]
    parts.source.logs[CHANGELOG] = rows
    seen: list[tuple[int, int]] = []
    fetch = parts.source.fetch

    async def few(partitions: Collection[TopicPartition], timeout_s: float) -> Any:
        seen.append((parts.reader.rows_read, parts.reader.rows_left))
        parts.source.logs[CHANGELOG] = rows[: 2 * len(seen)]
        found = await fetch(partitions, timeout_s)
        parts.source.logs[CHANGELOG] = rows
        return found

    monkeypatch.setattr(parts.source, "fetch", few)
    async with running(parts):
        parts.assign()
        await eventually(lambda: bool(parts.ready))
    assert seen[:3] == [(0, 6), (2, 4), (4, 2)]
    assert (parts.reader.rows_read, parts.reader.rows_left) == (6, 0)


async def nothing(partitions: Collection[TopicPartition], timeout_s: float) -> Any:
    await asyncio.sleep(0)
    return {}


async def test_a_recovery_that_gets_nothing_of_a_broker_that_answers_ends_the_process(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.source.logs[CHANGELOG] = [raw(offset) for offset in range(3)]
    monkeypatch.setattr(parts.source, "fetch", nothing)
    async with running(parts) as task:
        parts.assign()
        with pytest.raises(Stalled, match=r"3 rows do not come: p\.changelog\.t/0"):
            async with asyncio.timeout(2):
                await task


async def test_a_recovery_waits_for_a_broker_that_is_away(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.source.logs[CHANGELOG] = [raw(offset) for offset in range(3)]
    fetch, bounds = parts.source.fetch, parts.source.bounds
    answers = [True, False, False]

    async def sometimes(partitions: Collection[TopicPartition]) -> Any:
        if not answers or answers.pop(0):
            return await bounds(partitions)
        if not answers:
            monkeypatch.setattr(parts.source, "fetch", fetch)
        raise BrokerUnreachable("no answer")

    monkeypatch.setattr(parts.source, "fetch", nothing)
    monkeypatch.setattr(parts.source, "bounds", sometimes)
    async with running(parts):
        parts.assign()
        await eventually(lambda: bool(parts.ready))
    assert answers == []


async def test_tables_are_recovered_before_anything_is_delivered(parts: Parts) -> None:
    parts.source.logs[CHANGELOG] = [raw(0, b"1", b"a"), raw(3, None, b"a"), raw(7, b"2", b"b")]
    async with running(parts):
        parts.assign()
        await eventually(lambda: len(parts.inbox) == 10)
    assert (parts.table.get(0, "a"), parts.table.get(0, "b")) == (None, b"2")
    fetches = [call for call in parts.source.calls if call.startswith("fetch")]
    assert fetches[0] == "fetch ['p.changelog.t']"
    assert fetches[-1] == "fetch ['p.source']"
    parts.table.confirm(0, [("c", b"3")], [8])


async def test_a_compacted_changelog_may_end_in_a_hole(parts: Parts) -> None:
    parts.source.logs[CHANGELOG] = [raw(0, b"1", b"a"), raw(5, b"2", b"b")]
    parts.source.first[CHANGELOG] = 0
    async with running(parts):
        parts.assign()
        parts.source.logs[CHANGELOG].pop()
        parts.source._end = lambda tp: 6 if tp == CHANGELOG else 10  # type: ignore[method-assign]
        await eventually(lambda: bool(parts.ready))
    parts.table.confirm(0, [("c", b"3")], [6])


async def test_rows_that_came_too_late_are_corrected_before_anything_is_delivered(
    parts: Parts, producer: FakeProducer
) -> None:
    owner, late = [("epoch", b"1.2")], [("epoch", b"0.1")]
    parts.source.logs[CHANGELOG] = [raw(0, b"new", b"a", headers=owner), raw(1, b"old", b"a", headers=late)]
    producer.ends["changelog.t"] = 1
    delivered: list[int] = []
    producer.before = lambda sends: delivered.append(len(parts.inbox))
    async with running(parts):
        parts.assign(generation=3)
        await eventually(lambda: len(parts.inbox) == 10)
    sent = [(send.key, send.value, send.headers) for send in producer.sent]
    assert sent == [(b"a", b"new", (("epoch", b"2.3"),))]
    assert delivered == [0]


async def test_a_run_that_was_written_in_part_is_as_it_was_before(
    parts: Parts, producer: FakeProducer
) -> None:
    first, dying = ("epoch", b"0.1"), ("epoch", b"1.2")
    parts.source.logs[CHANGELOG] = [
        raw(0, b"head", b"r", headers=[first]),
        raw(1, b"part", b"r/a", headers=[dying, ("more", b"2")]),
        raw(2, b"new", b"r", headers=[dying, ("more", b"1")]),
    ]
    producer.ends["changelog.t"] = 2
    async with running(parts):
        parts.assign(generation=3)
        await eventually(lambda: bool(parts.ready))
    assert (parts.table.get(0, "r"), parts.table.get(0, "r/a")) == (b"head", None)
    sent = [(send.key, send.value, send.headers) for send in producer.sent]
    mine = ("epoch", b"3.3")
    assert sent == [(b"r", b"head", (mine, ("more", b"1"))), (b"r/a", None, (mine,))]


@pytest.mark.parametrize(
    ("committed", "first", "expected"),
    [
        pytest.param(None, 0, 0, id="nothing committed"),
        pytest.param(None, 4, 4, id="nothing committed, old records gone"),
        pytest.param(6, 0, 6, id="committed"),
        pytest.param(2, 4, 4, id="committed, but gone"),
        pytest.param(99, 0, 0, id="committed in an earlier life of the topic"),
    ],
)
async def test_where_reading_resumes(parts: Parts, committed: int | None, first: int, expected: int) -> None:
    if committed is not None:
        parts.source.commits[SOURCE] = committed
    parts.source.first[SOURCE] = first
    async with running(parts):
        parts.assign()
        await eventually(lambda: len(parts.inbox) == 10 - expected)
    assert parts.delivered()[0] == (1, expected)


async def test_what_a_fetch_returns_after_a_rebalance_is_dropped_and_read_again(parts: Parts) -> None:
    """The worst of faust issue 596: the fetch was under way when the assignment changed."""
    rebalanced: list[Assignment] = []

    def rebalance() -> None:
        if parts.source.calls[-1] == "fetch ['p.source']" and not rebalanced:
            parts.reader.assign(None)
            rebalanced.append(parts.assign(generation=2))

    parts.source.during_fetch = rebalance
    async with running(parts):
        parts.assign(generation=1)
        await eventually(lambda: len(parts.inbox) == 10)
    assert parts.delivered() == [(2, offset) for offset in range(10)]


async def test_a_rebalance_during_recovery_begins_anew(parts: Parts) -> None:
    parts.source.logs[CHANGELOG] = [raw(0, b"1", b"a"), raw(1, b"2", b"b")]
    rebalanced: list[Assignment] = []

    def rebalance() -> None:
        if not rebalanced:
            rebalanced.append(parts.assign(generation=2))

    parts.source.during_fetch = rebalance
    async with running(parts):
        parts.assign(generation=1)
        await eventually(lambda: len(parts.inbox) == 10)
    assert [assignment.generation for assignment in parts.ready] == [2]
    assert (parts.table.get(0, "a"), parts.table.get(0, "b")) == (b"1", b"2")


async def test_a_lost_partition_is_closed(parts: Parts) -> None:
    async with running(parts):
        parts.assign()
        await eventually(lambda: bool(parts.ready))
        assert parts.table.partitions == {0}
        nothing = Assignment(2, frozenset(), lambda: True)
        parts.reader.assign(nothing)
        await eventually(lambda: parts.ready[-1] is nothing)
    assert parts.table.partitions == set()


async def test_a_full_inbox_leaves_records_on_the_broker(parts: Parts) -> None:
    parts.source.logs[SOURCE] = [raw(offset) for offset in range(8)]
    async with running(parts):
        parts.assign()
        await eventually(lambda: len(parts.inbox) == 8)
        parts.source.logs[SOURCE] += [raw(8), raw(9)]
        await asyncio.sleep(0.05)
        assert len(parts.inbox) == 8
        assert len(parts.delivered()) == 8
        await eventually(lambda: len(parts.inbox) == 2)


async def test_a_gap_ends_the_reader(parts: Parts) -> None:
    del parts.source.logs[SOURCE][4]
    async with running(parts) as task:
        parts.assign()
        with pytest.raises(OffsetGap):
            async with asyncio.timeout(2):
                await task


async def test_a_partition_that_is_crowded_is_left_alone_until_it_is_not(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.shell.offsets.MOST_OPEN", 4)
    parts.source.logs[SOURCE] = [raw(offset) for offset in range(6)]
    async with running(parts):
        assignment = parts.assign()
        await eventually(lambda: assignment.offsets.crowded == {SOURCE})
        delivered = len(parts.delivered())
        parts.source.logs[SOURCE] += [raw(offset) for offset in range(6, 9)]
        await asyncio.sleep(0.02)
        assert parts.delivered() == []
        for offset in range(delivered):
            assignment.offsets.finish(SOURCE, offset)
        await eventually(lambda: len(parts.inbox) == 9 - delivered)
