"""What is read while a topic is held, or while a batch is on its way: nothing that would be lost."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from confluent_kafka import Message, TopicPartition

from sinks.batch import Batch, Partition
from sinks.settings import SinkSettings
from sinks.source import Source
from tests.sinks.records import message
from transport.settings import KafkaSettings

RUNS, EVENTS = "hopline.runs", "hopline.trigger.events"


class Consumer:
    """The part of librdkafka's that is used: one partition of each topic, and what a test puts in front."""

    def __init__(self) -> None:
        self.waiting: list[Message] = []
        self.paused: set[str] = set()
        self.pauses: list[str] = []
        self.waits: list[float] = []

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(RUNS, 0), TopicPartition(EVENTS, 0)]

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.pauses += [one.topic for one in partitions]
        self.paused |= {one.topic for one in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {one.topic for one in partitions}

    def poll(self, timeout_s: float) -> Message | None:
        self.waits.append(timeout_s)
        return self.waiting.pop(0) if self.waiting else None

    def consume(self, most: int, timeout_s: float) -> list[Message]:
        found, self.waiting = self.waiting, []
        return found


class World:
    def __init__(self) -> None:
        self.batch, self.stalled = Batch(SinkSettings()), Batch(SinkSettings())
        settings = KafkaSettings(bootstrap_servers="127.0.0.1:9")
        self.source = Source(settings, {"runs": self.batch, "trigger.events": self.batch}, self.stalled)
        self._real = self.source._consumer
        self.consumer = Consumer()
        self.source._consumer = cast(Any, self.consumer)

    def given(self) -> None:
        self.source._given(cast(Any, self.consumer), self.consumer.assignment())

    def close(self) -> None:
        self._real.close()
        self.source._thread.shutdown()


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


async def test_a_topic_that_is_held_is_paused_once_and_read_again(world: World) -> None:
    world.given()
    await world.source.fill(0)
    assert world.consumer.paused == set()
    world.source.hold({"runs"})
    for _ in range(3):
        await world.source.fill(0)
    assert world.consumer.paused == {RUNS}
    assert world.consumer.pauses == [RUNS], "each pause throws away what was fetched ahead"
    world.given()
    await world.source.fill(0)
    assert world.consumer.pauses == [RUNS, RUNS], "who has just come is not paused, whatever was before"
    world.source.hold(set())
    await world.source.fill(0)
    assert world.consumer.paused == set()
    assert world.source.assigned == {(RUNS, 0), (EVENTS, 0)}


async def test_what_comes_while_a_batch_is_being_written_is_not_taken_for_written(world: World) -> None:
    world.given()
    world.consumer.waiting = [message(RUNS, b"x", offset=7)]
    await world.source.keep_alive()
    assert world.consumer.paused == {RUNS, EVENTS}
    assert (world.batch.rows, world.batch.offsets) == (0, {})
    await world.source.fill(0)
    assert world.consumer.paused == set()
    assert world.batch.offsets == {Partition("runs", 0): 8}


async def test_what_is_read_ahead_is_in_the_next_batch_without_a_wait(world: World) -> None:
    world.given()
    world.consumer.waiting = [message(RUNS, b"x", offset=7), message(RUNS, b"y", offset=8)]
    await world.source.read_ahead()
    assert (world.batch.rows, world.batch.offsets) == (0, {}), "what is being written has its own offsets"
    assert world.consumer.paused == set()
    world.consumer.waiting = [message(RUNS, b"z", offset=9)]
    await world.source.read_ahead()
    assert len(world.consumer.waiting) == 1, "no more is held than one read brings"
    await world.source.fill(0.5)
    assert world.consumer.waits == [0]
    assert [one.value() for one in world.batch.messages["runs"]] == [b"x", b"y", b"z"]
    assert world.batch.offsets == {Partition("runs", 0): 10}


async def test_what_is_another_sinks_now_is_dropped_wherever_it_is(world: World) -> None:
    world.given()
    world.batch.add("runs", [message("runs", b"x", offset=1)], 0.0)
    world.batch.move(["runs"], world.stalled)
    world.batch.add("trigger.events", [message("trigger.events", b"x", offset=1)], 0.0)
    world.consumer.waiting = [message(RUNS, b"x", offset=7)]
    await world.source.keep_alive()
    world.source._lost(cast(Any, world.consumer), world.consumer.assignment())
    await world.source.fill(0)
    assert world.batch.rows == world.stalled.rows == 0
    assert world.source.assigned == frozenset()
