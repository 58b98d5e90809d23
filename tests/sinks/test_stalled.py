"""A table that takes nothing: its topic waits, nothing of it is lost or committed, and the others go on."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import Message
from prometheus_client import CollectorRegistry

from sinks.app import Sink, _Loop
from sinks.batch import Batch, Partition
from sinks.letters import LetterBox, Poison
from sinks.metrics import SinkMetrics
from sinks.settings import SinkSettings
from sinks.stalled import Stalled
from sinks.writing import BatchWriter
from tests.sinks.records import CODEC, message
from transport.errors import ClickHouseUnavailable, SendFailed, StatementRefused
from transport.settings import KafkaSettings

ROWS, AT_ONCE = 50, 20
SETTINGS = SinkSettings(batch_rows=ROWS, batch_interval_s=0, batch_settle_s=0, batch_age_s=0, retry_max_s=0.1)
TOPICS = ("runs", "node.executions", "trigger.events")


class Tables:
    """In place of ClickHouse: takes what its `down` does not name, and keeps how much."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.rows: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()

    def writer(self, topic: str) -> Any:
        return _Table(self, topic)


class _Table:
    def __init__(self, tables: Tables, topic: str) -> None:
        self._tables, self._topic = tables, topic
        self.name = topic

    async def write(self, messages: Sequence[Message]) -> list[Poison]:
        await asyncio.sleep(0)
        self._tables.attempts[self._topic] += 1
        if self._topic in self._tables.down:
            raise StatementRefused("Table is in readonly mode", 242)
        self._tables.rows[self._topic] += len(messages)
        return []


class Endless:
    """In place of the consumer: all topics always have more."""

    def __init__(self, batches: Mapping[str, Batch], every: Sequence[Batch]) -> None:
        self._batches, self._every = batches, every
        self.read: Counter[str] = Counter()
        self.committed: dict[Partition, int] = {}
        self.held: Set[str] = frozenset()
        self.most_rows = 0
        self.calls = 0

    async def fill(self, timeout_s: float) -> None:
        await asyncio.sleep(0)
        self.calls += 1
        for topic, batch in self._batches.items():
            if topic not in self.held:
                first = self.read[topic]
                batch.add(topic, [message(topic, b"x", offset=first + n) for n in range(AT_ONCE)], 0.0)
                self.read[topic] += AT_ONCE
        self.most_rows = max(self.most_rows, sum(one.rows for one in self._every))

    def hold(self, topics: Set[str]) -> None:
        self.held = topics

    async def read_ahead(self) -> None: ...

    async def keep_alive(self) -> None: ...

    async def commit(self, batch: Batch, *, wait: bool = False) -> None:
        for partition, offset in batch.offsets.items():
            assert offset > self.committed.get(partition, 0), "never backwards"
            self.committed[partition] = offset


class Running:
    """A sink's loop between the two."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.metrics = SinkMetrics(CollectorRegistry())
        self.writer = BatchWriter(None, CODEC, LetterBox(None, CODEC), self.metrics)  # type: ignore[arg-type]
        self.writer._writers = {topic: self.tables.writer(topic) for topic in TOPICS}
        prompt, patient = Batch(SETTINGS), Batch(SETTINGS)
        self.stalled = Stalled(SETTINGS)
        by_topic = {"runs": prompt, "node.executions": prompt, "trigger.events": patient}
        self.source = Endless(by_topic, (prompt, patient, self.stalled.batch))
        parts: tuple[Any, ...] = (self.stalled, self.source, self.writer, SETTINGS, self.metrics)
        self._loop = _Loop((prompt, patient), *parts)

    async def until(self, reached: Callable[["Running"], bool]) -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(self._loop.run_until(stop))
        async with asyncio.timeout(30):
            while not running.done() and not reached(self):  # noqa: ASYNC110
                await asyncio.sleep(0)
        stop.set()
        await running

    def committed(self, topic: str) -> int:
        return self.source.committed.get(Partition(topic, 0), 0)


async def test_batches_that_are_due_are_written_side_by_side() -> None:
    sink = Running()
    writing: set[str] = set()
    together: set[frozenset[str]] = set()

    class Noted(_Table):
        async def write(self, messages: Sequence[Message]) -> list[Poison]:
            writing.add(self._topic)
            await asyncio.sleep(0.001)
            together.add(frozenset(writing))
            writing.discard(self._topic)
            return await super().write(messages)

    sink.writer._writers = {topic: Noted(sink.tables, topic) for topic in TOPICS}
    await sink.until(lambda now: min(now.tables.rows[topic] for topic in TOPICS) > 100)
    assert frozenset({"node.executions", "trigger.events"}) in together
    assert not any({"runs", "node.executions"} <= found for found in together), "a run follows its nodes"
    for topic in TOPICS:
        assert sink.committed(topic) == sink.tables.rows[topic]


async def test_others_go_on_and_what_is_held_is_bounded() -> None:
    sink = Running()
    sink.tables.down = {"trigger.events"}
    await sink.until(lambda now: now.tables.rows["runs"] > 500 and now.tables.attempts["trigger.events"] > 3)
    assert sink.committed("runs") == sink.tables.rows["runs"]
    assert sink.committed("trigger.events") == 0
    assert sink.source.read["trigger.events"] <= ROWS + AT_ONCE
    assert sink.source.most_rows <= len(TOPICS) * (ROWS + AT_ONCE)
    assert sink.metrics.retries._value.get() >= 3


async def test_all_of_them_may_be_away_and_nothing_is_read_on() -> None:
    sink = Running()
    sink.tables.down = set(TOPICS)
    await sink.until(lambda now: now.source.calls > 200 and now.tables.attempts["trigger.events"] > 3)
    assert not sink.source.committed
    assert sum(sink.source.read.values()) <= len(TOPICS) * (ROWS + AT_ONCE)


async def test_what_has_stalled_follows_once_and_in_order() -> None:
    sink = Running()
    sink.tables.down = {"trigger.events"}

    def is_mended(now: Running) -> bool:
        if now.tables.attempts["trigger.events"] > 2:
            now.tables.down = set()
        return now.tables.rows["trigger.events"] > 500

    await sink.until(is_mended)
    assert sink.committed("trigger.events") == sink.tables.rows["trigger.events"]
    assert sink.stalled.topics == frozenset()


async def test_runs_wait_for_their_nodes() -> None:
    sink = Running()
    sink.tables.down = {"node.executions"}
    await sink.until(lambda now: now.tables.rows["trigger.events"] > 1000)
    assert sink.tables.rows["runs"] == 0
    assert sink.tables.attempts["runs"] == 0


async def test_a_dead_letter_that_cannot_be_sent_keeps_its_topic_and_no_other() -> None:
    class Away:
        async def send_all(self, sends: Sequence[Any]) -> None:
            raise SendFailed("Local: Message timed out")

    class Poisoned(_Table):
        async def write(self, messages: Sequence[Message]) -> list[Poison]:
            return [Poison(self._topic, messages[0], "no avro", "UndecodableValue")]

    sink = Running()
    sink.writer._letters = LetterBox(Away(), CODEC)  # type: ignore[arg-type]
    sink.writer._writers["trigger.events"] = Poisoned(sink.tables, "trigger.events")
    await sink.until(lambda now: now.tables.rows["runs"] > 500)
    assert sink.committed("trigger.events") == 0


async def test_a_fault_of_our_own_ends_the_sink() -> None:
    class Wrong(_Table):
        async def write(self, messages: Sequence[Message]) -> list[Poison]:
            raise ZeroDivisionError

    sink = Running()
    sink.writer._writers["runs"] = Wrong(sink.tables, "runs")
    with pytest.raises(ZeroDivisionError):
        await sink.until(lambda now: False)


def test_pauses_grow_to_their_ceiling_and_begin_anew() -> None:
    stalled, batch = Stalled(SETTINGS.model_copy(update={"retry_max_s": 0.3})), Batch(SETTINGS)
    away = {"runs": ClickHouseUnavailable("away")}
    batch.add("runs", [message("runs", b"x")], 0.0)
    stalled.take(batch, away, 10.0)
    assert (batch.rows, stalled.batch.rows, stalled.due_in(10.0)) == (0, 1, pytest.approx(0.1))
    for pause_s in (0.2, 0.3, 0.3):
        assert stalled.tried(away, 20.0).rows == 0
        assert stalled.due_in(20.0) == pytest.approx(pause_s)
    written = stalled.tried({}, 30.0)
    assert (written.rows, written.offsets) == (1, {Partition("runs", 0): 1})
    assert stalled.due_in(30.0) == float("inf")
    assert stalled.batch.rows == stalled.batch.bytes == 0


def test_the_sink_says_what_waits_and_why() -> None:
    sink = Sink(SETTINGS, KafkaSettings(), CODEC, cast(Any, None))
    assert sink.components()["consumer"].status == "unhealthy", "not yet a member"
    sink._source = cast(Any, SimpleNamespace(is_member=True, assigned=frozenset({("t", 0)})))
    assert {one.status for one in sink.components().values()} == {"healthy"}
    batch = Batch(SETTINGS)
    batch.add("runs", [message("runs", b"x")], 0.0)
    sink._stalled.take(batch, {"runs": ClickHouseUnavailable("no answer")}, 0.0)
    clickhouse = sink.components()["clickhouse"]
    assert (clickhouse.status, clickhouse.detail) == ("unhealthy", "1 records of runs wait: no answer")


async def test_while_an_insert_takes_long_the_sink_stays_in_its_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sinks.app._KEEP_ALIVE_S", 0.001)
    sink, taken, alive = Running(), asyncio.Event(), 0

    class Slow(_Table):
        async def write(self, messages: Sequence[Message]) -> list[Poison]:
            await taken.wait()
            return await super().write(messages)

    async def keep_alive() -> None:
        nonlocal alive
        alive += 1
        if alive > 20:
            taken.set()

    sink.source.keep_alive = keep_alive  # type: ignore[method-assign]
    sink.writer._writers["runs"] = Slow(sink.tables, "runs")
    await sink.until(lambda now: now.tables.rows["runs"] > 0)
    assert alive > 20
    assert sink.source.most_rows <= len(TOPICS) * (ROWS + AT_ONCE)
