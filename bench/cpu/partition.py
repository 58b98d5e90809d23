"""One partition of a topic, as a stage is given it, without a broker."""

import time
from collections.abc import Sequence

from streams.shell.assignment import Assignment
from streams.shell.inbox import Delivery, Inbox
from streams.shell.offsets import TopicPartition
from streams.shell.stage import Record
from transport.committed import Commit
from transport.producer import Send


class Partition:
    """Read from its beginning. What is delivered counts as unfinished in its assignment until it is done."""

    def __init__(self, assignment: Assignment, place: TopicPartition, inbox: Inbox) -> None:
        """`place`: one of the assignment."""
        self._assignment = assignment
        self._place = place
        self._inbox = inbox
        self._end = 0
        assignment.offsets.start(place, Commit(0))

    def deliver(self, sends: Sequence[Send]) -> None:
        """These are its next records, and in the inbox. All are of its topic."""
        now_ms = time.time_ns() // 1_000_000
        records = [
            Record(send.topic, 0, offset, send.key, send.value, send.headers, now_ms)
            for offset, send in enumerate(sends, self._end)
        ]
        self._end += len(records)
        self._assignment.offsets.deliver(self._place, [record.offset for record in records])
        size = sum(len(record.value or b"") for record in records)
        self._inbox.put(Delivery(self._assignment, self._place, records, size))
