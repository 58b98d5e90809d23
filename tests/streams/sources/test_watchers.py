"""Who watches what, from when to when, and what becomes of failures."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ClassVar, cast

import orjson
import pytest
from prometheus_client import CollectorRegistry

from schemas.codec import SingleObjectCodec
from schemas.models import AppTrigger, DeploymentStatus, SourceState
from schemas.secrets import SecretBox
from schemas.triggers.email import EmailConfig
from streams.metrics import SourceMetrics
from streams.shell.stage import Record
from streams.sources.events import SourceEvent
from streams.sources.oauth import AccessTokens
from streams.sources.rows import SourceRow
from streams.sources.settings import SourceSettings
from streams.sources.stage import Sources
from streams.sources.tokens import TokenRow
from streams.sources.watchers import Watchers
from streams.sources.watching import Unavailable, Watch
from tests.streams.kept import KeptRows
from transport.definitions import Definitions
from transport.errors import SendFailed
from transport.feed import DefinitionsFeed
from transport.partitions import partition_of
from transport.producer import Producer, Send
from transport.store import DefinitionsStore

CODEC = SingleObjectCodec()
BOX = SecretBox(b"k" * 32)
PARTITIONS = 4
SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Feed:
    """Definitions that tests change."""

    def __init__(self) -> None:
        self.definitions = Definitions()
        self.read = 10
        self._changed = asyncio.Event()

    def offset(self, topic: str) -> int:
        return self.read

    async def news(self, topic: str, timeout_s: float) -> None:
        self._changed.clear()
        await self._changed.wait()

    def put(self, trigger: AppTrigger) -> None:
        self.definitions.apply("definitions.triggers", trigger.id, trigger)
        self._changed.set()

    def drop(self, trigger_id: str) -> None:
        self.definitions.apply("definitions.triggers", trigger_id, None)
        self._changed.set()


class Sent(list[Send]):
    async def send_all(self, sends: Sequence[Send]) -> None:
        self.extend(sends)

    def of(self, topic: str, schema: str) -> list[dict[str, Any]]:
        return [CODEC.decode(schema, send.value or b"") for send in self if send.topic == topic]


class Store:
    """Writes what the feed reads."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.put_states: list[tuple[str, str]] = []
        self.changed = asyncio.Event()
        self.wrong: list[Exception] = []

    async def put(self, topic: str, *states: SourceState) -> None:
        if self.wrong:
            raise self.wrong.pop()
        for state in states:
            self.put_states.append((state.status, state.error))
            self.feed.definitions.apply(topic, state.id, state)
        self.changed.set()

    async def delete(self, topic: str, *keys: str) -> None:
        for key in keys:
            self.feed.definitions.apply(topic, key, None)
        self.changed.set()


class Held:
    """All partitions, or some."""

    def __init__(self, rows: dict[str, bytes], partitions: set[int]) -> None:
        self.rows = rows
        self.partitions = partitions

    def get(self, partition: int, key: str) -> bytes | None:
        return self.rows.get(key)

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        yield from ((k, v) for k, v in self.rows.items() if partition_of(k.encode(), PARTITIONS) == partition)


class Kind:
    """Does what the test says; remembers what it was given."""

    type: ClassVar[str] = EmailConfig.type

    def __init__(self) -> None:
        self.watches: list[Watch] = []
        self.ended: list[str] = []
        self.changed = asyncio.Event()
        self.slots_of_each = 1
        self.does: Callable[[Watch], Any] = lambda watch: asyncio.Event().wait()

    def subject(self, settings: EmailConfig) -> str:
        return settings.subject_uri

    def slots(self, settings: EmailConfig) -> int:
        return self.slots_of_each

    async def watch(self, watch: Watch) -> None:
        self.watches.append(watch)
        self.changed.set()
        try:
            await self.does(watch)
        finally:
            self.ended.append(watch.trigger.id)
            self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


class World:
    def __init__(self) -> None:
        self.feed, self.sent, self.kind = Feed(), Sent(), Kind()
        self.store = Store(self.feed)
        self.rows: dict[str, bytes] = {}
        self.watchers = Watchers(
            cast(DefinitionsFeed, self.feed), CODEC, cast(Producer, self.sent),
            cast(DefinitionsStore, self.store), [self.kind],
            secrets=BOX, partitions=self._count, settings=SourceSettings(retry_min_s=0.001, retry_max_s=0.01),
            metrics=SourceMetrics(CollectorRegistry()),
        )  # fmt: skip

    async def _count(self) -> int:
        return PARTITIONS

    def begin(self, *partitions: int) -> None:
        self.watchers.begin(Held(self.rows, set(partitions or range(PARTITIONS))))


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("streams.sources.watchers._SETTLE_S", 0)
    monkeypatch.setattr("streams.sources.states._PAUSE_S", 0)
    world = World()
    yield world
    await world.watchers.end()


def trigger(trigger_id: str = "t1", **changes: Any) -> AppTrigger:
    config = {"host": "h", "username": "u", "password": BOX.encrypt("tenant", "secret")}
    config |= changes.pop("config", {})
    fields = {"id": trigger_id, "tenant_id": "tenant", "app_id": "a", "workflow_id": "w", "type": "EMAIL"}
    return AppTrigger(**{**fields, **changes}, config=config)


def stage_of(world: World) -> Sources:
    return Sources(cast(DefinitionsFeed, world.feed), CODEC, world.watchers, cast(AccessTokens, None))


async def test_a_trigger_is_watched_where_its_partition_is(world: World) -> None:
    for number in range(20):
        world.feed.put(trigger(f"t{number}"))
    world.feed.put(trigger("t99", deployment_status=DeploymentStatus.UNDEPLOYED))
    world.begin(1, 3)
    ours = {f"t{n}" for n in range(20) if partition_of(f"t{n}".encode(), PARTITIONS) in (1, 3)}
    await world.kind.until(lambda: len(world.kind.watches) == len(ours))
    assert {watch.trigger.id for watch in world.kind.watches} == ours
    await world.watchers.end()
    assert set(world.kind.ended) == ours


async def test_slots_of_a_trigger_have_homes_of_their_own(world: World) -> None:
    world.kind.slots_of_each = 8
    world.feed.put(trigger())
    homes = [partition_of(key.encode(), PARTITIONS) for key in ("t1", *(f"t1/{n}" for n in range(1, 8)))]
    assert len(set(homes)) > 1
    world.begin(homes[0])
    await world.kind.until(lambda: len(world.kind.watches) == homes.count(homes[0]))


async def test_a_watcher_keeps_to_its_trigger(world: World) -> None:
    world.begin()
    world.feed.put(trigger())
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    assert cast(EmailConfig, world.kind.watches[0].settings).password == "secret"
    world.feed.put(trigger(config={"folder": "Other"}))
    await world.kind.until(lambda: len(world.kind.watches) == 2)
    assert world.kind.ended == ["t1"]
    world.feed.drop("t1")
    await world.kind.until(lambda: world.kind.ended == ["t1", "t1"])


async def test_events_and_positions_are_confirmed_before_a_watcher_goes_on(world: World) -> None:
    async def does(watch: Watch) -> None:
        event = SourceEvent(
            identity="1", event_type="e", source="/s", data={"body": {"a": 1}}, traceparent=SENT
        )
        await watch.publish([event, event])
        await watch.keep({"uid": 7})
        world.kind.ended.append("kept")
        world.kind.changed.set()
        await asyncio.Event().wait()

    world.kind.does = does
    world.feed.put(trigger(created_by="ann"))
    world.begin()
    await world.kind.until(lambda: "kept" in world.kind.ended)
    first, again = world.sent.of("trigger.events", "TriggerEvent")
    assert first == again
    assert first["traceparent"] == SENT
    assert [send.headers for send in world.sent if send.topic == "trigger.events"] == [
        (("traceparent", SENT.encode()),)
    ] * 2
    assert (first["trigger_id"], first["dedup_key"], first["index_key"]) == ("1", "EMAIL:t1:1", "t1")
    assert (first["tenant_id"], first["created_by"], first["triggers_offset"]) == ("tenant", "ann", 10)
    assert orjson.loads(first["data"])["body"] == {"a": 1}
    [kept] = world.sent.of("source.commands", "SourceCommand")
    assert (kept["source_id"], kept["kind"]) == ("t1", "POSITION")
    # What the stage makes of it is where the next watcher goes on.
    record = Record("source.commands", 0, 0, b"t1", world.sent[-1].value, (), 0)
    decision = stage_of(world).decide(record, KeptRows(), 0)
    world.rows = {key: row for key, row in decision.writes.items() if row is not None}
    await world.watchers.end()
    world.kind.watches.clear()
    world.begin()
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    assert world.kind.watches[0].position == {"uid": 7}


async def test_a_position_means_nothing_for_another_mailbox(world: World) -> None:
    one = trigger()
    changed = trigger(created_at=one.created_at, updated_at=one.created_at + timedelta(hours=1))
    other = changed.model_copy(update={"config": {**changed.config, "host": "other"}})
    world.rows["t1"] = SourceRow("imap://u@h:993/INBOX", {"uid": 7}, 1).encode()
    world.feed.put(changed)
    world.begin()
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    world.feed.put(other)
    await world.kind.until(lambda: len(world.kind.watches) == 2)
    same, new = world.kind.watches
    assert (same.position, same.since_s) == ({"uid": 7}, one.created_at.timestamp())
    assert (new.position, new.since_s) == (None, other.updated_at.timestamp())


async def test_a_failure_is_told_once_and_tried_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter(["away", "away", "away"])

    async def does(watch: Watch) -> None:
        for why in failures:
            raise Unavailable(why)
        watch.works()
        await asyncio.Event().wait()

    world.kind.does = does
    world.feed.put(trigger())
    with caplog.at_level(logging.INFO, "streams.sources.watchers"):
        world.begin()
        await world.kind.until(lambda: len(world.kind.watches) == 4)
        await asyncio.sleep(0)
    told = [r.getMessage() for r in caplog.records if r.name == "streams.sources.watchers"]
    assert told == ["EMAIL trigger t1: away", "EMAIL trigger t1: watching again"]


async def test_a_secret_that_cannot_be_read_is_a_failure_of_that_source_alone(world: World) -> None:
    world.feed.put(trigger("bad", config={"password": "enc:v1:AAAA"}))
    world.feed.put(trigger("good"))
    world.begin()
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    assert world.kind.watches[0].trigger.id == "good"


async def test_news_wake_the_watcher_of_that_source(world: World) -> None:
    async def does(watch: Watch) -> None:
        await watch.news(1000)
        world.kind.ended.append("heard")
        world.kind.changed.set()
        await asyncio.Event().wait()

    world.kind.does = does
    world.feed.put(trigger())
    world.begin()
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    world.watchers.look("t2")
    world.watchers.look("t1")
    await world.kind.until(lambda: "heard" in world.kind.ended)


async def test_rows_of_triggers_that_are_gone_go(world: World) -> None:
    world.rows["gone"] = SourceRow("s", {}, 10).encode()
    world.rows["gone/e"] = b"\x7f\xf0" + bytes(6) + b"{}"
    world.rows["never/oauth"] = TokenRow("c", "", "a", 0.0, 10).encode()
    """Of one that was never watched."""
    world.rows["new"] = SourceRow("s", {}, 11).encode()
    """Of a trigger that this worker has not read yet."""
    world.feed.put(trigger())
    world.begin()
    await world.kind.until(lambda: len(world.kind.watches) == 1)
    async with asyncio.timeout(20):
        while not world.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    commands = world.sent.of("source.commands", "SourceCommand")
    assert [(one["source_id"], one["kind"]) for one in commands] == [("gone", "REMOVE"), ("never", "REMOVE")]
    kept = KeptRows(world.rows)
    record = Record("source.commands", 0, 0, b"gone", world.sent[0].value, (), 0)
    assert stage_of(world).decide(record, kept, 0).writes == {"gone": None, "gone/e": None}


async def test_how_a_source_is_doing_is_told_when_it_changes(world: World) -> None:
    go_on = asyncio.Event()

    async def does(watch: Watch) -> None:
        if len(world.kind.watches) < 3:
            raise Unavailable("away")
        await go_on.wait()
        watch.works()
        watch.works()
        await asyncio.Event().wait()

    async def until(states: list[tuple[str, str]]) -> None:
        async with asyncio.timeout(20):
            while world.store.put_states != states:
                world.store.changed.clear()
                await world.store.changed.wait()

    world.kind.does = does
    world.feed.put(trigger())
    world.store.wrong = [SendFailed("away"), ValueError("whatever it is")]
    world.begin()
    await until([("FAILING", "away")])
    go_on.set()
    await until([("FAILING", "away"), ("WATCHING", "")])
    world.feed.drop("t1")
    async with asyncio.timeout(20):
        while world.feed.definitions.source_states:
            world.store.changed.clear()
            await world.store.changed.wait()
