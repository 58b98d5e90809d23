import asyncio
from collections.abc import Callable

from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery, Inbox, Limits
from streams.shell.offsets import TopicPartition
from transport.committed import Commit

Deliver = Callable[..., Delivery]


def _values(first: int, count: int) -> list[tuple[int, bytes]]:
    return [(offset, b"0123456789") for offset in range(first, first + count)]


def test_what_is_there_is_taken_in_order_up_to_the_limit(assignment: Assignment, deliver: Deliver) -> None:
    inbox = Inbox(Limits(100, 10_000), asyncio.Event())
    inbox.put(deliver(assignment, _values(0, 3)))
    inbox.put(deliver(assignment, _values(3, 4)))
    taken = inbox.take(Limits(5, 10_000))
    assert [record.offset for delivery in taken for record in delivery.records] == [0, 1, 2, 3, 4]
    assert inbox.filled.is_set()
    taken = inbox.take(Limits(5, 10_000))
    assert [record.offset for delivery in taken for record in delivery.records] == [5, 6]
    assert not inbox.filled.is_set()
    assert len(inbox) == 0


def test_bytes_bound_a_batch_but_never_stop_it(assignment: Assignment, deliver: Deliver) -> None:
    inbox = Inbox(Limits(100, 10_000), asyncio.Event())
    for first in range(3):
        inbox.put(deliver(assignment, _values(first, 1)))
    assert len(inbox.take(Limits(100, 1))) == 1
    assert len(inbox.take(Limits(100, 11))) == 2


def test_room_is_told_when_a_full_inbox_empties(assignment: Assignment, deliver: Deliver) -> None:
    room = asyncio.Event()
    inbox = Inbox(Limits(4, 10_000), room)
    inbox.put(deliver(assignment, _values(0, 6)))
    assert inbox.full
    inbox.take(Limits(1, 10_000))
    assert not room.is_set()
    inbox.take(Limits(2, 10_000))
    assert room.is_set()
    assert not inbox.full


def test_a_batch_has_one_assignment(assignment: Assignment, deliver: Deliver) -> None:
    later = Assignment(2, assignment.partitions, lambda: True)
    later.offsets.start(TopicPartition("p.source", 0), Commit(0))
    inbox = Inbox(Limits(100, 10_000), asyncio.Event())
    inbox.put(deliver(assignment, _values(0, 1)))
    inbox.put(deliver(later, _values(0, 1)))
    assert [delivery.assignment for delivery in inbox.take(Limits(9, 999))] == [assignment]
    assert [delivery.assignment for delivery in inbox.take(Limits(9, 999))] == [later]


def test_cleared_means_gone(assignment: Assignment, deliver: Deliver) -> None:
    room = asyncio.Event()
    inbox = Inbox(Limits(1, 10_000), room)
    inbox.put(deliver(assignment, _values(0, 2)))
    inbox.clear()
    assert inbox.take(Limits(9, 999)) == []
    assert not inbox.filled.is_set()
    assert room.is_set()
