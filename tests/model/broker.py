"""The modelled broker: what its topics have, what the group has committed, and what compaction leaves."""

from collections import defaultdict
from collections.abc import Callable, Iterable

from streams.shell.offsets import TopicPartition
from streams.shell.stage import Record
from tests.model.loop import Clock
from transport.committed import Commit
from transport.partitions import partition_of
from transport.producer import Position, Send

PARTITIONS = 2
"""Of each topic."""


class Broker:
    """Whatever it has taken stays. It knows nothing of who sends: fences hold for commits alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._logs: dict[TopicPartition, list[Record]] = defaultdict(list)
        self._ends: dict[TopicPartition, int] = defaultdict(int)
        self.committed: dict[TopicPartition, Commit] = {}
        self.on_append: Callable[[], None] = lambda: None
        """Whoever waits for records is told."""

    def append(self, send: Send) -> Position:
        """A message is there for good."""
        partition = send.partition
        if partition is None:
            partition = partition_of(send.key or b"", PARTITIONS)
        tp = TopicPartition(send.topic, partition)
        offset = self._ends[tp]
        self._ends[tp] = offset + 1
        now_ms = int(self._clock.now * 1000)
        self._logs[tp].append(Record(*tp, offset, send.key, send.value, send.headers, now_ms))
        self.on_append()
        return Position(send.topic, partition, offset)

    def end(self, tp: TopicPartition) -> int:
        """The offset that the next message will get."""
        return self._ends[tp]

    def read(self, tp: TopicPartition, offset: int, most: int) -> list[Record]:
        """At most so many messages from there on."""
        if offset >= self._ends[tp]:
            return []
        log = self._logs[tp]
        if len(log) == self._ends[tp]:  # Nothing was compacted.
            return log[offset : offset + most]
        return [message for message in log if message.offset >= offset][:most]

    def topic(self, topic: str) -> list[Record]:
        """All of it, partition by partition."""
        return [m for partition in range(PARTITIONS) for m in self._logs[TopicPartition(topic, partition)]]

    def compact(self) -> None:
        """Of the rows of the changelogs, leaves the last of each key."""
        for tp, log in self._logs.items():
            if tp.topic.startswith("changelog."):
                last = {message.key: message.offset for message in log}
                log[:] = [message for message in log if last[message.key] == message.offset]

    def lag(self, topics: Iterable[str]) -> int:
        """Messages of these topics that the group has not acknowledged."""
        places = [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        return sum(self._ends[tp] - self.committed.get(tp, Commit(0)).offset for tp in places)
