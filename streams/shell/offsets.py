"""Which offsets are read, finished and safe to commit, for each partition. Pure arithmetic.

Nothing is committed beyond the smallest unfinished offset, and no delivery may leave a gap.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.shell.errors import OffsetGap

MOST_OPEN = 20_000
"""Records of a partition that may be delivered beyond one that is not done. All of them are done again when
this process dies before it is."""


class TopicPartition(NamedTuple):
    """A partition by the broker's name of its topic, prefix included."""

    topic: str
    partition: int


class _Progress:
    __slots__ = ("committed", "end", "finished", "next", "unfinished")

    def __init__(self, start: int, end: int) -> None:
        self.next = start
        self.end = end
        self.committed = start
        self.unfinished: deque[int] = deque()
        self.finished: set[int] = set()
        """Finished before an earlier one was."""

    @property
    def safe(self) -> int:
        return self.unfinished[0] if self.unfinished else self.next


class Offsets:
    """The bookkeeping of one assignment; a new assignment starts with a new one."""

    def __init__(self) -> None:
        self._progress: dict[TopicPartition, _Progress] = {}
        self.crowded: set[TopicPartition] = set()
        """Partitions of which no more should be delivered until the oldest of their records is done."""

    def start(self, tp: TopicPartition, offset: int, end: int = 0) -> None:
        """Reading of `tp` begins at `offset`, which is also what counts as committed; it ends, as of now,
        before `end`."""
        self._progress[tp] = _Progress(offset, end)

    def caught_up(self, topic: str) -> bool:
        """Whether all that was there when reading of the topic began is done."""
        return all(p.safe >= p.end for tp, p in self._progress.items() if tp.topic == topic)

    def deliver(self, tp: TopicPartition, offsets: Sequence[int]) -> None:
        """Records with these offsets are about to be processed.

        Raises `OffsetGap` unless they follow what was delivered before, one by one.
        """
        progress = self._progress[tp]
        expected = progress.next
        for offset in offsets:
            if offset != expected:
                raise OffsetGap(f"{tp.topic}/{tp.partition}: expected offset {expected}, got {offset}")
            expected += 1
        progress.next = expected
        progress.unfinished.extend(offsets)
        if len(progress.unfinished) >= MOST_OPEN:
            self.crowded.add(tp)

    def finish(self, tp: TopicPartition, offset: int) -> None:
        """One record is done; others before it may not be."""
        progress = self._progress[tp]
        progress.finished.add(offset)
        unfinished = progress.unfinished
        while unfinished and unfinished[0] in progress.finished:
            progress.finished.discard(unfinished.popleft())
        if self.crowded and len(unfinished) < MOST_OPEN // 2:
            self.crowded.discard(tp)

    def finish_through(self, tp: TopicPartition, offset: int) -> None:
        """All records up to and including `offset` are done: the ordered case."""
        unfinished = self._progress[tp].unfinished
        while unfinished and unfinished[0] <= offset:
            unfinished.popleft()

    def to_commit(self) -> dict[TopicPartition, int]:
        """The offset to resume at for each partition that has advanced since the last commit."""
        return {tp: p.safe for tp, p in self._progress.items() if p.safe > p.committed}

    def committed(self, offsets: Iterable[tuple[TopicPartition, int]]) -> None:
        """The broker has these."""
        for tp, offset in offsets:
            if tp in self._progress:
                self._progress[tp].committed = offset

    def unfinished(self) -> int:
        """Records that were delivered and are not done."""
        return sum(len(p.unfinished) - len(p.finished) for p in self._progress.values())
