"""Stand-ins for what is around the loops of the shell."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery
from streams.shell.offsets import TopicPartition
from streams.shell.stage import Record
from transport.committed import Commit
from transport.errors import SendFailed
from transport.producer import Position, Send

TP = TopicPartition("p.source", 0)


@dataclass
class FakeProducer:
    """Takes what is sent; `fail` makes the next attempts fail."""

    sent: list[Send] = field(default_factory=list)
    fail: int = 0
    before: Callable[[Sequence[Send]], None] = lambda sends: None
    ends: dict[str, int] = field(default_factory=dict)

    async def send_all(self, sends: Sequence[Send]) -> list[Position]:
        self.before(sends)
        if self.fail:
            self.fail -= 1
            raise SendFailed("injected")
        return [self._append(send) for send in sends]

    def _append(self, send: Send) -> Position:
        self.sent.append(send)
        self.ends[send.topic] = self.ends.get(send.topic, -1) + 1
        return Position(send.topic, send.partition or 0, self.ends[send.topic])


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def assignment() -> Assignment:
    """Of one source partition, read from offset 0."""
    made = Assignment(1, frozenset({TP}), lambda: True)
    made.offsets.start(TP, Commit(0))
    return made


@pytest.fixture
def deliver() -> Callable[[Assignment, Iterable[tuple[int, bytes]]], Delivery]:
    """A delivery of records with these offsets and values."""

    def make(assignment: Assignment, values: Iterable[tuple[int, bytes]]) -> Delivery:
        records = [Record("source", 0, offset, b"k", value, (), 0) for offset, value in values]
        assignment.offsets.deliver(TP, [record.offset for record in records])
        return Delivery(assignment, TP, records, sum(len(record.value or b"") for record in records))

    return make


def bury(stage: str, record: Record, error: BaseException) -> Send:
    return Send("dead.letters", record.key, type(error).__name__.encode())
