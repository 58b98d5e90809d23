"""What the reader of a worker reads by, on the real broker."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any

import pytest
from confluent_kafka import KafkaException
from confluent_kafka import Producer as LibrdkafkaProducer

from streams.shell.offsets import TopicPartition
from streams.shell.source import KafkaSource
from transport.admin import create_topics
from transport.producer import Producer, Send
from transport.settings import KafkaSettings

TOPIC = "run.commands"
HEADERS = (("epoch", b"1.2"),)


class Group:
    """aiokafka's part, of which these tests want only what it complains of."""

    complaint: Exception | None = None

    async def call(self, function: Callable[[Any], Awaitable[Any]]) -> Any:
        if self.complaint is not None:
            raise self.complaint


@pytest.fixture
async def kafka(broker: str, topic_prefix: str) -> KafkaSettings:
    settings = KafkaSettings(bootstrap_servers=broker, topic_prefix=topic_prefix, partitions=2)
    await create_topics(settings)
    producer = Producer(settings)
    sends = [Send(TOPIC, b"k%d" % n, b"%d" % n, HEADERS, partition=n % 2) for n in range(6)]
    await producer.send_all(sends)
    await producer.close()
    return settings


@pytest.fixture
def group() -> Group:
    return Group()


@pytest.fixture
async def source(kafka: KafkaSettings, group: Group) -> AsyncIterator[KafkaSource]:
    made = KafkaSource(kafka, group.call)
    yield made
    await made.close()


def place(kafka: KafkaSettings, partition: int) -> TopicPartition:
    return TopicPartition(kafka.full_name(TOPIC), partition)


async def fetched(source: KafkaSource, partitions: Collection[TopicPartition], count: int) -> list[Any]:
    records: list[Any] = []
    async with asyncio.timeout(20):
        while len(records) < count:
            for found in (await source.fetch(partitions, 0.1)).values():
                records += found
    return records


async def test_records_are_read_from_where_they_are_to_be(kafka: KafkaSettings, source: KafkaSource) -> None:
    first, second = place(kafka, 0), place(kafka, 1)
    await source.read_from({first: 1, second: 2})
    assert [source.position(first), source.position(second)] == [1, 2]
    records = sorted(await fetched(source, {first, second}, 3), key=lambda one: (one.partition, one.offset))
    assert [(one.topic, one.partition, one.offset, one.key, one.value) for one in records] == [
        (TOPIC, 0, 1, b"k2", b"2"),
        (TOPIC, 0, 2, b"k4", b"4"),
        (TOPIC, 1, 2, b"k5", b"5"),
    ]
    assert {tuple(one.headers) for one in records} == {HEADERS}
    assert min(one.timestamp_ms for one in records) > 1_700_000_000_000
    assert [source.position(first), source.position(second)] == [3, 3]


async def test_what_is_left_out_comes_later(kafka: KafkaSettings, source: KafkaSource) -> None:
    first, second = place(kafka, 0), place(kafka, 1)
    await source.read_from({first: 0, second: 0})
    assert {one.partition for one in await fetched(source, {second}, 3)} == {1}
    assert await source.fetch({second}, 0.3) == {}
    assert [one.offset for one in await fetched(source, {first, second}, 3)] == [0, 1, 2]


async def test_what_is_left_out_is_read_when_it_is_wanted_anew(
    kafka: KafkaSettings, source: KafkaSource
) -> None:
    """As after a rebalance while its stage was full, or its table recovered before others were."""
    first, second = place(kafka, 0), place(kafka, 1)
    for again in ({first: 1}, {first: 1, second: 3}):
        await source.read_from({first: 0, second: 0})
        await fetched(source, {second}, 3)
        await source.read_from({})
        await source.read_from(again)
        assert [one.offset for one in await fetched(source, set(again), 2)] == [1, 2]


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_skipped_whatever_was_left_out_and_begun_anew(
    kafka: KafkaSettings, source: KafkaSource, seed: int
) -> None:
    chance = random.Random(seed)
    places = [place(kafka, 0), place(kafka, 1)]
    for _ in range(12):
        wanted = {tp: chance.randrange(4) for tp in places if chance.random() < 0.7}
        await source.read_from(wanted)
        for _ in range(chance.randrange(4)):
            some = [tp for tp in wanted if chance.random() < 0.6]
            for tp, records in (await source.fetch(some, chance.choice((0, 0.02, 0.15)))).items():
                offsets = range(wanted[tp], wanted[tp] + len(records))
                assert [one.offset for one in records] == list(offsets)
                wanted[tp] += len(records)
    await source.read_from(dict.fromkeys(places, 0))
    all_of_it = await fetched(source, places, 6)
    for tp in places:
        assert [one.offset for one in all_of_it if one.partition == tp.partition] == [0, 1, 2]


async def test_what_was_read_before_is_forgotten(kafka: KafkaSettings, source: KafkaSource) -> None:
    first, second = place(kafka, 0), place(kafka, 1)
    await source.read_from({first: 0})
    await fetched(source, {first}, 3)
    await source.read_from({second: 1})
    assert [(one.partition, one.offset) for one in await fetched(source, {second}, 2)] == [(1, 1), (1, 2)]
    await source.read_from({})
    assert await source.fetch((), 0.1) == {}


async def test_a_partition_may_end_in_what_is_no_record(kafka: KafkaSettings, source: KafkaSource) -> None:
    """As after compaction: here it is the mark at the end of a transaction."""
    first = place(kafka, 0)
    sender = LibrdkafkaProducer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.full_name("marks")}
    )
    await asyncio.to_thread(sender.init_transactions, 20)
    sender.begin_transaction()
    sender.produce(first.topic, b"6", b"k6", partition=0)
    await asyncio.to_thread(sender.commit_transaction, 20)
    await source.read_from({first: 0})
    records = await fetched(source, {first}, 4)
    assert records[-1].offset == 3
    async with asyncio.timeout(20):
        while source.position(first) < 5:
            await source.fetch({first}, 0.1)


async def test_where_nothing_is_nothing_is_skipped(kafka: KafkaSettings, source: KafkaSource) -> None:
    first = place(kafka, 0)
    await source.read_from({first: 1000})
    with pytest.raises(KafkaException, match=r"(?i)offset"):
        await fetched(source, {first}, 1)


async def test_whoever_reads_hears_what_ails_the_group(
    kafka: KafkaSettings, source: KafkaSource, group: Group
) -> None:
    group.complaint = RuntimeError("another one has this id")
    await source.read_from({place(kafka, 0): 0})
    with pytest.raises(RuntimeError, match="this id"):
        await source.fetch({place(kafka, 0)}, 0.1)
    with pytest.raises(RuntimeError, match="this id"):
        await source.look()
