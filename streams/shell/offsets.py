"""Which offsets are read, finished and safe to commit, for each partition. Pure arithmetic.

No offset is committed beyond the smallest unfinished one; what is done beyond that goes with it. No delivery
may leave a gap.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from streams.shell.errors import OffsetGap
from transport.committed import Commit

MOST_OPEN = 20_000
"""Records of a partition that may be delivered beyond one that is not done: as many as a commit can tell of,
however they are scattered."""


class TopicPartition(NamedTuple):
    """A partition by the broker's name of its topic, prefix included."""

    topic: str
    partition: int


class _Progress:
    __slots__ = ("_commit", "committed", "done_before", "end", "finished", "next", "unfinished")

    def __init__(self, start: Commit, end: int) -> None:
        self.next = start.offset
        self.end = end
        self.committed = start
        self.unfinished: deque[int] = deque()
        self.finished: set[int] = set()
        """Delivered, and finished before an earlier one was."""
        self.done_before = set(start.done)
        """Not delivered yet, and finished under an earlier assignment."""
        self._commit: Commit | None = start

    @property
    def safe(self) -> int:
        return self.unfinished[0] if self.unfinished else self.next

    @property
    def commit(self) -> Commit:
        if self._commit is None:
            self._commit = Commit.of(self.safe, self.finished | self.done_before)
        return self._commit

    def deliver(self, offsets: Sequence[int]) -> None:
        self.next += len(offsets)
        self.unfinished.extend(offsets)
        if self.done_before:
            again = self.done_before.intersection(offsets)
            self.done_before -= again
            self.finished |= again
            self.advance()

    def advance(self) -> None:
        unfinished, finished = self.unfinished, self.finished
        while unfinished and unfinished[0] in finished:
            finished.discard(unfinished.popleft())
        self._commit = None

    def advance_through(self, offset: int) -> None:
        while self.unfinished and self.unfinished[0] <= offset:
            self.unfinished.popleft()
        self._commit = None


class Offsets:
    """The bookkeeping of one assignment; a new assignment starts with a new one."""

    def __init__(self) -> None:
        self._progress: dict[TopicPartition, _Progress] = {}
        self.crowded: set[TopicPartition] = set()
        """Partitions of which no more should be delivered until the oldest of their records is done."""

    def start(self, tp: TopicPartition, at: Commit, end: int = 0) -> None:
        """Reading of `tp` begins at `at.offset`, and `at` counts as committed. `end` is its end as of now."""
        self._progress[tp] = _Progress(at, end)

    def caught_up(self, topic: str) -> frozenset[int]:
        """The partitions of which all is done that was there when reading of the topic began."""
        done = (tp for tp, p in self._progress.items() if tp.topic == topic and p.safe >= p.end)
        return frozenset(tp.partition for tp in done)

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
        progress.deliver(offsets)
        if len(progress.unfinished) >= MOST_OPEN:
            self.crowded.add(tp)

    def is_finished(self, tp: TopicPartition, offset: int) -> bool:
        """Whether a record that was delivered is done already, as the owner before has committed."""
        progress = self._progress[tp]
        return offset in progress.finished or offset < progress.safe

    def finish(self, tp: TopicPartition, offset: int) -> None:
        """One record is done; others before it may not be."""
        progress = self._progress[tp]
        progress.finished.add(offset)
        progress.advance()
        if self.crowded and len(progress.unfinished) < MOST_OPEN // 2:
            self.crowded.discard(tp)

    def finish_through(self, tp: TopicPartition, offset: int) -> None:
        """All records up to and including `offset` are done: the ordered case."""
        self._progress[tp].advance_through(offset)

    def to_commit(self) -> dict[TopicPartition, Commit]:
        """For each partition that has advanced since the last commit."""
        return {tp: p.commit for tp, p in self._progress.items() if p.commit != p.committed}

    def committed(self, commits: Iterable[tuple[TopicPartition, Commit]]) -> None:
        """The broker has these."""
        for tp, commit in commits:
            if tp in self._progress:
                self._progress[tp].committed = commit

    def unfinished(self) -> int:
        """Records that were delivered and are not done."""
        return sum(len(p.unfinished) - len(p.finished) for p in self._progress.values())
