"""Topics that share a stage: each has its turn, and each is bounded by itself."""

import asyncio

import pytest

from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery, Inbox, Limits
from streams.shell.offsets import TopicPartition
from streams.shell.queues import Queues
from streams.shell.stage import Record


class Three:
    def __init__(self) -> None:
        self.filled, self.room = asyncio.Event(), asyncio.Event()
        self.inboxes = {name: Inbox(Limits(10, 1 << 20), self.room, self.filled) for name in "abc"}
        self.queues = Queues(list(self.inboxes.values()), self.filled)
        self._assignment = Assignment(1, frozenset(), lambda: True)

    def put(self, name: str, records: int, size: int = 1) -> None:
        tp = TopicPartition(name, 0)
        found = [Record(name, 0, n, b"k", b"x" * size, (), 0) for n in range(records)]
        self.inboxes[name].put(Delivery(self._assignment, tp, found, records * size))

    def take(self, records: int, size_bytes: int = 1 << 30) -> str:
        taken = self.queues.take(Limits(records, size_bytes))
        return "".join(record.topic for delivery in taken for record in delivery.records)


@pytest.fixture
def three() -> Three:
    return Three()


async def test_each_has_an_equal_share_and_what_one_leaves_the_others_get(three: Three) -> None:
    three.put("a", 8)
    three.put("b", 2)
    assert sorted(three.take(4)) == ["a", "a", "b", "b"]
    assert three.take(4) == "aaaa"


async def test_one_place_at_a_time_goes_round(three: Three) -> None:
    for name in "abc":
        three.put(name, 3)
    assert "".join(three.take(1) for _ in range(9)) == "abcabcabc"


async def test_a_flood_keeps_nobody_out(three: Three) -> None:
    three.put("a", 1000)
    assert three.inboxes["a"].full
    assert not three.inboxes["b"].full, "the reader goes on with it"
    assert three.take(5) == "aaaaa"
    three.put("b", 1)
    assert "b" in three.take(2)


async def test_bytes_are_bounded_over_all_of_them(three: Three) -> None:
    three.put("a", 1, size=600)
    three.put("b", 1, size=600)
    three.put("c", 1, size=600)
    assert three.take(10, 1000) == "ab"
    assert (len(three.queues), three.queues.size_bytes) == (1, 600)


async def test_there_is_something_until_all_are_empty(three: Three) -> None:
    three.put("a", 1)
    three.put("b", 1)
    three.take(1)
    assert three.filled.is_set()
    three.take(1)
    assert not three.filled.is_set()
    three.put("c", 2)
    assert three.filled.is_set()
    three.queues.clear()
    assert not three.filled.is_set()
    assert len(three.queues) == 0
