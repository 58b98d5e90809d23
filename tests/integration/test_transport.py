"""Topics, confirmed sends and definitions, on the real broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry, generate_latest

from schemas.codec import SingleObjectCodec
from schemas.models import App, AppMode, AppTrigger, Workflow, WorkflowType, utc_now
from schemas.topics import TOPICS
from transport import feed as feed_module
from transport.admin import create_topics, describe_topics
from transport.committed import CommittedOffsets
from transport.definitions import APPS, TRIGGERS, WORKFLOWS
from transport.errors import BrokerUnreachable, SendFailed, TopicsMismatch
from transport.feed import DefinitionsFeed
from transport.lag import LagMeter
from transport.positions import RecordReader
from transport.producer import Position, Producer, Send
from transport.settings import KafkaSettings
from transport.store import DefinitionsStore

CODEC = SingleObjectCodec()


@pytest.fixture
async def kafka(broker: str, topic_prefix: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=3)
    await create_topics(settings)
    return settings


@pytest.fixture
async def producer(kafka: KafkaSettings) -> AsyncIterator[Producer]:
    made = Producer(kafka, message_timeout_s=10)
    yield made
    await made.close()


def read(kafka: KafkaSettings, position: Position) -> tuple[bytes | None, bytes | None, object]:
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "test"})
    try:
        consumer.assign(
            [TopicPartition(kafka.full_name(position.topic), position.partition, position.offset)]
        )
        message = consumer.poll(10)
        assert message is not None
        return message.key(), message.value(), message.headers()
    finally:
        consumer.close()


async def test_topics_are_created_once_with_what_the_registry_says(kafka: KafkaSettings) -> None:
    assert await create_topics(kafka) == []
    states = {state.name: state for state in await describe_topics(kafka)}
    assert {name: state.partitions for name, state in states.items()} == {
        name: topic.partitions(3, 3) for name, topic in TOPICS.items()
    }


async def test_topics_have_leaders_once_they_are_created(
    broker: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Several times: whether the client has asked before there were any is a matter of luck."""
    for number in range(4):
        await create_topics(
            KafkaSettings(bootstrap_servers=broker, topic_prefix=f"{topic_prefix}{number}.", partitions=3)
        )
    assert [record for record in caplog.records if record.name == "transport.admin"] == []


async def test_another_number_of_partitions_is_refused(kafka: KafkaSettings) -> None:
    with pytest.raises(TopicsMismatch, match="has 3 partitions, HOPLINE_PARTITIONS asks for 4"):
        await create_topics(kafka.model_copy(update={"partitions": 4}))


async def test_a_broker_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BrokerUnreachable, match="HOPLINE_KAFKA"):
        await create_topics(KafkaSettings(bootstrap_servers="127.0.0.1:1"))


async def test_a_send_returns_where_the_message_is(kafka: KafkaSettings, producer: Producer) -> None:
    position = await producer.send(Send("runs", b"key", b"value", (("traceparent", b"00"),)))
    assert position.offset == 0
    assert read(kafka, position) == (b"key", b"value", [("traceparent", b"00")])


async def test_order_within_a_key_is_the_order_of_the_calls(producer: Producer) -> None:
    positions = await producer.send_all([Send("runs", b"one", str(n).encode()) for n in range(500)])
    assert {p.partition for p in positions} == {positions[0].partition}
    assert [p.offset for p in positions] == list(range(500))


async def test_many_callers_share_the_producer(producer: Producer) -> None:
    sends = [producer.send_all([Send("runs", str(n).encode(), b"x")] * 3) for n in range(300)]
    found = {p for positions in await asyncio.gather(*sends) for p in positions}
    assert len(found) == 900


async def test_closing_waits_for_the_reports_of_all_that_is_under_way(kafka: KafkaSettings) -> None:
    producer = Producer(kafka)
    sending = [asyncio.create_task(producer.send(Send("runs", str(n).encode(), b"x"))) for n in range(900)]
    await asyncio.sleep(0.002)
    await producer.close()
    positions = await asyncio.wait_for(asyncio.gather(*sending), 5)
    assert len(set(positions)) == 900


async def test_a_message_that_is_too_large_fails_and_the_producer_goes_on(producer: Producer) -> None:
    with pytest.raises(SendFailed):
        await producer.send(Send("runs", b"k", b"x" * 17 * 1024 * 1024))
    assert (await producer.send(Send("runs", b"k", b"x"))).offset >= 0


async def test_a_broker_that_does_not_answer_fails_the_send_in_time() -> None:
    producer = Producer(KafkaSettings(bootstrap_servers="127.0.0.1:1"), message_timeout_s=0.5)
    with pytest.raises(SendFailed):
        await asyncio.wait_for(producer.send(Send("runs", b"k", b"v")), 5)
    await producer.close()


def workflow(version: str) -> Workflow:
    return Workflow(id="flow", app_id="app", type=WorkflowType.WORKFLOW, version=version, graph={})


async def test_a_writer_reads_its_own_writes_and_so_does_everybody_else(
    kafka: KafkaSettings, producer: Producer
) -> None:
    app = App(id="app", name="orders", mode=AppMode.WORKFLOW, workflow_id="flow")
    trigger = AppTrigger(
        id="trigger", app_id="app", workflow_id="flow", type="WEBHOOK",
        config={"webhook_id": "h" * 24},
    )  # fmt: skip
    draft = workflow("draft")
    published = draft.published(utc_now(), by="ada")
    async with DefinitionsFeed(kafka, CODEC) as mine:
        store = DefinitionsStore(producer, mine, CODEC)
        await store.put_all([(APPS, app), (WORKFLOWS, draft), (WORKFLOWS, published)])
        assert mine.definitions.latest["flow"].version == published.version, "all of them, not just an app"
        await store.put(TRIGGERS, trigger)
        assert mine.definitions.apps == {"app": app}
        async with DefinitionsFeed(kafka, CODEC) as theirs:
            assert theirs.definitions.latest["flow"].version == published.version
            found = theirs.definitions.at("WEBHOOK", "h" * 24)
            assert found is not None
            seen = theirs.definitions.triggers[found.id]
            assert seen == mine.definitions.triggers[found.id]
            assert seen.model_copy(update={"claims": {}}) == trigger
            await store.delete(TRIGGERS, "trigger")
            await theirs.reach(TRIGGERS, mine.offset(TRIGGERS))
            assert theirs.definitions.at("WEBHOOK", "h" * 24) is None
    async with DefinitionsFeed(kafka, CODEC) as later:
        assert later.offset(TRIGGERS) == mine.offset(TRIGGERS)


async def test_nobody_waits_for_what_a_topic_has_lost(
    kafka: KafkaSettings,
    producer: Producer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with DefinitionsFeed(kafka, CODEC) as feed:
        app = App(id="app", name="orders", mode=AppMode.WORKFLOW, workflow_id="flow")
        await DefinitionsStore(producer, feed, CODEC).put(APPS, app)
        monkeypatch.setattr(feed_module, "REACH_TIMEOUT_S", 0.1)
        assert feed.offset(APPS) == 1
        await feed.reach(APPS, 7)
        assert feed.offset(APPS) == 7, "the next event that needs it does not wait at all"
        assert "ends at 1 and was known up to 7" in caplog.text
        with pytest.raises(TimeoutError):
            await feed.news(APPS, 0.1)


async def test_one_unreadable_definition_does_not_take_the_others_down(
    kafka: KafkaSettings, producer: Producer, caplog: pytest.LogCaptureFixture
) -> None:
    await producer.send(Send(APPS, b"bad", b"not avro"))
    async with DefinitionsFeed(kafka, CODEC) as feed:
        app = App(id="app", name="orders", mode=AppMode.WORKFLOW, workflow_id="flow")
        await DefinitionsStore(producer, feed, CODEC).put(APPS, app)
        assert feed.definitions.apps == {"app": app}
        assert [(place, one.offset) for place, one in feed.unreadable.items()] == [((APPS, "bad"), 0)]
        await DefinitionsStore(producer, feed, CODEC).put(APPS, app.model_copy(update={"id": "bad"}))
        assert not feed.unreadable, "what has come after it counts"
    assert "bad" in caplog.text


async def test_a_record_can_be_read_again_at_its_place(kafka: KafkaSettings, producer: Producer) -> None:
    await producer.send_all([Send("runs", b"k", b"%d" % n, (("n", b"1"),), partition=1) for n in range(3)])
    reader = RecordReader(kafka)
    message = await reader.read("runs", 1, 1)
    assert message is not None
    assert (message.key(), message.value(), message.headers()) == (b"k", b"1", [("n", b"1")])
    for offset in (3, 99):
        assert await reader.read("runs", 1, offset) is None


async def test_lag_is_what_is_not_committed(kafka: KafkaSettings, producer: Producer) -> None:
    await producer.send_all([Send("runs", b"k", b"%d" % n, partition=n % 2) for n in range(6)])
    topic, registry = kafka.full_name("runs"), CollectorRegistry()
    meter = LagMeter(kafka, "sink", lambda: [(topic, 0), (topic, 1), (topic, 2)], registry)

    async def lag(expected: str) -> None:
        async with asyncio.timeout(30):
            while f'hopline_consumer_lag{{partition="0",topic="runs"}} {expected}' not in shown(registry):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    with meter.measuring():
        await lag("3.0")
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.full_name("sink")})
    await asyncio.to_thread(consumer.commit, offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    consumer.close()
    with meter.measuring():
        await lag("1.0")
    assert 'topic="runs"} 3.0' in shown(registry)
    assert 'partition="2",topic="runs"} 0.0' in shown(registry)


async def lags(kafka: KafkaSettings, topic: str) -> dict[str, int]:
    found = {state.name: state.lag for state in await describe_topics(kafka)}[topic]
    return {kafka.short_name(group): lag for group, lag in found.items()}


async def reading(kafka: KafkaSettings, group: str, topic: str) -> Consumer:
    """A member of the group that has been given partitions, and has committed nothing."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.full_name(group)})
    consumer.subscribe([kafka.full_name(topic)])
    async with asyncio.timeout(60):
        while not consumer.assignment():
            await asyncio.to_thread(consumer.poll, 0.1)
    return consumer


async def test_what_a_group_has_committed_nothing_of_counts_as_well(
    kafka: KafkaSettings, producer: Producer
) -> None:
    await producer.send_all([Send("runs", b"k", b"%d" % n, partition=n % 2) for n in range(6)])
    consumer = await reading(kafka, "sink", "runs")
    assert await lags(kafka, "runs") == {"sink": 6}
    place = TopicPartition(kafka.full_name("runs"), 0, 2)
    await asyncio.to_thread(consumer.commit, offsets=[place], asynchronous=False)
    assert await lags(kafka, "runs") == {"sink": 4}
    consumer.close()
    assert await lags(kafka, "runs") == {"sink": 4}
    assert await lags(kafka, "trigger.logs") == {}


async def test_a_changelog_has_no_lag(kafka: KafkaSettings, producer: Producer) -> None:
    await producer.send_all([Send("changelog.runs", b"k", b"%d" % n, partition=0) for n in range(3)])
    with closing(await reading(kafka, "workers", "changelog.runs")):
        assert await lags(kafka, "changelog.runs") == {}


async def test_what_is_committed_in_that_moment_is_no_lag(
    kafka: KafkaSettings, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.full_name("sink")}
    of, loop = CommittedOffsets.of, asyncio.get_running_loop()

    def work(offsets: CommittedOffsets, *where: Any) -> Any:
        """Between the two questions a message comes and is done."""
        monkeypatch.undo()
        sending = producer.send(Send("runs", b"k", b"v", partition=0))
        asyncio.run_coroutine_threadsafe(sending, loop).result(30)
        with closing(Consumer(group)) as consumer:
            consumer.commit(offsets=[TopicPartition(kafka.full_name("runs"), 0, 1)], asynchronous=False)
        return of(offsets, *where)

    with closing(Consumer(group)) as consumer:
        consumer.commit(offsets=[TopicPartition(kafka.full_name("runs"), 0, 0)], asynchronous=False)
    monkeypatch.setattr(CommittedOffsets, "of", work)
    assert await lags(kafka, "runs") == {"sink": 0}


async def test_lag_is_measured_again_after_whatever_went_wrong(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transport.lag._INTERVAL_S", 0.01)
    registry, wrong = CollectorRegistry(), [RuntimeError("changed size during iteration")]

    def assigned() -> list[tuple[str, int]]:
        if wrong:
            raise wrong.pop()
        return [(kafka.full_name("runs"), 0)]

    with LagMeter(kafka, "sink", assigned, registry).measuring():
        async with asyncio.timeout(30):
            while 'partition="0",topic="runs"} 0.0' not in shown(registry):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


def shown(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


async def test_without_the_topics_the_feed_says_what_to_do(broker: str, topic_prefix: str) -> None:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix)
    with pytest.raises(BrokerUnreachable, match="hopline topics create"):
        async with DefinitionsFeed(settings, CODEC):
            pass
