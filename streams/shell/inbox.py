"""What was read for a stage and waits for it, bounded by records and bytes."""

import asyncio
from collections import deque
from dataclasses import dataclass

from streams.shell.assignment import Assignment
from streams.shell.offsets import TopicPartition
from streams.shell.stage import Record


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken or held at a time."""

    records: int
    size_bytes: int


@dataclass(slots=True)
class Delivery:
    """Records of one partition, in order, with the assignment they were read under."""

    assignment: Assignment
    tp: TopicPartition
    records: list[Record]
    size_bytes: int


class Inbox:
    """The reader puts, one stage takes. Full means that the reader leaves the stage's topics alone."""

    def __init__(self, limits: Limits, room: asyncio.Event, filled: asyncio.Event | None = None) -> None:
        """`room` is set whenever a full inbox has been emptied far enough, `filled` when something is put in.
        A `filled` that is given belongs to several, and is cleared by who takes from them."""
        self._limits = limits
        self._room = room
        self._deliveries: deque[Delivery] = deque()
        self._records = 0
        self._bytes = 0
        self._is_alone = filled is None
        self.filled = filled or asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether more should wait on the broker."""
        return self._records >= self._limits.records or self._bytes >= self._limits.size_bytes

    def __len__(self) -> int:
        return self._records

    @property
    def size_bytes(self) -> int:
        """Of the records."""
        return self._bytes

    def put(self, delivery: Delivery) -> None:
        """Never refuses: the reader looks at `full` before it fetches."""
        self._deliveries.append(delivery)
        self._records += len(delivery.records)
        self._bytes += delivery.size_bytes
        self.filled.set()

    def take(self, limits: Limits) -> list[Delivery]:
        """What is there now, at most `limits` and at least one record if there is any; without waiting.

        All of it was read under the same assignment.
        """
        taken: list[Delivery] = []
        records = size = 0
        while self._deliveries and records < limits.records and size < limits.size_bytes:
            delivery = self._deliveries[0]
            if taken and delivery.assignment is not taken[0].assignment:
                break
            delivery = self._cut(delivery, limits.records - records)
            taken.append(delivery)
            records += len(delivery.records)
            size += delivery.size_bytes
        self._settle(records, size)
        return taken

    def clear(self) -> None:
        """Drops what was not taken: it will be read again by whoever owns the partitions next."""
        self._deliveries.clear()
        self._settle(self._records, self._bytes)

    def _cut(self, delivery: Delivery, most: int) -> Delivery:
        """The first `most` records of the first delivery; the rest stays."""
        self._deliveries.popleft()
        if len(delivery.records) <= most:
            return delivery
        head, tail = delivery.records[:most], delivery.records[most:]
        head_bytes = delivery.size_bytes * len(head) // len(delivery.records)
        self._deliveries.appendleft(
            Delivery(delivery.assignment, delivery.tp, tail, delivery.size_bytes - head_bytes)
        )
        return Delivery(delivery.assignment, delivery.tp, head, head_bytes)

    def _settle(self, records: int, size_bytes: int) -> None:
        was_full = self.full
        self._records -= records
        self._bytes -= size_bytes
        if self._is_alone and not self._deliveries:
            self.filled.clear()
        if was_full and not self.full:
            self._room.set()
