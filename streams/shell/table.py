"""One stage's table: rows, what brings them to the changelog and back, and when each of them is due."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from streams.shell.due import Due, DueOf
from streams.shell.errors import ForeignWriter, StoreDamaged, TooNew
from streams.shell.replay import NO_EPOCH, Recovered, Replay, followers, owner_of
from streams.shell.rows import Epoch, Mark, Rows, RowsSize, Write
from streams.shell.stage import Stage
from transport.producer import Send

EPOCH_HEADER, MORE_HEADER, FORMAT_HEADER = "epoch", "more", "format"
"""Of a row in the changelog, see `streams.shell.replay` and `Stage.format`. The second is left out where it
would be 0, the third where it would be 1."""

NONE_LATER: Mapping[tuple[int, str], float] = {}


def _forgiving(due: DueOf) -> DueOf:
    """A row whose due time can't be told is due at once, so that its stage finds out."""

    def due_of(key: str, value: bytes) -> float | None:
        try:
            return due(key, value)
        except Exception:
            return 0.0

    return due_of


class Table:
    """The partitions of a table that this worker owns.

    Rows change in two ways only: by what recovery reads from the changelog, and by own writes whose
    changelog positions are confirmed.
    """

    def __init__(self, stage: Stage, rows: Rows) -> None:
        if stage.table is None:
            raise ValueError(f"stage {stage.name} keeps nothing")
        self.name = stage.table
        self.changelog = f"changelog.{stage.table}"
        self.format = stage.format
        self._due_of = None if stage.due is None else _forgiving(stage.due)
        self._rows = rows
        self._marks: dict[int, Mark] = {}
        self._found: dict[int, Mark] = {}
        """How far the rows went that were here when a partition was opened."""
        self._epochs: dict[int, Epoch] = {}
        self._replays: dict[int, Replay] = {}
        self._surfaced: dict[int, dict[str, list[float]]] = {}
        """By partition and key: times at which rows were due that have not been served yet."""

    @property
    def partitions(self) -> set[int]:
        """Those that are open."""
        return set(self._marks)

    def open(self, partition: int, earliest: int, end: int, generation: int) -> int:
        """Makes a partition usable whose changelog has the offsets `earliest` up to, without, `end`.

        Returns the offset from which recovery must read: of rows that were here before, the last one is read
        once more, to see whether the changelog still has it. Rows that are older than the changelog's start,
        or newer than its end because it was made anew or has lost its own, are forgotten.
        """
        is_open = partition in self._marks
        mark = self._rows.open(partition)
        if mark is not None and not earliest <= mark.offset + 1 <= end:
            self._rows.clear(partition)
            mark = None
        start = earliest if mark is None else mark.offset + 1
        if mark is not None and not is_open:
            self._found[partition] = mark
            start = max(earliest, mark.offset)
        mark = self._marks[partition] = mark or Mark(earliest - 1, NO_EPOCH)
        self._epochs[partition] = Epoch(end, generation)
        self._replays[partition] = Replay(mark.epoch)
        if self._due_of is not None:
            queue = self._rows.queue(partition, self._due_of)
            # A turn that was dropped halfway has served none of them.
            for key, times in self._surfaced.pop(partition, {}).items():
                for at in times:
                    queue.push(Due(at, key))
        return start

    def close(self, partition: int) -> None:
        """The partition has another owner now."""
        self._rows.close(partition)
        for by_partition in (self._marks, self._found, self._epochs, self._replays, self._surfaced):
            by_partition.pop(partition, None)

    def get(self, partition: int, key: str) -> bytes | None:
        """The row of an open partition."""
        return self._rows.get(partition, key)

    def under(self, partition: int, prefix: str) -> Iterator[str]:
        """The keys of an open partition that begin with `prefix`, which ends with `BREAK`."""
        return self._rows.under(partition, prefix)

    def items(self, partition: int) -> Iterator[tuple[str, bytes]]:
        """All rows of an open partition, in no order."""
        return self._rows.items(partition)

    def recover(self, partition: int, rows: Iterable[Recovered], last: int) -> None:
        """Applies what the changelog says, up to its offset `last`.

        Raises `StoreDamaged` when it does not go on from the rows that were here: they are gone then. Raises
        `TooNew`.
        """
        rows = list(rows)
        if (newest := max((row.format for row in rows), default=1)) > self.format:
            raise TooNew(
                f"{self.changelog}/{partition} has rows of format {newest}, and this release reads up to "
                f"{self.format}: start the release again that wrote them, or a later one"
            )
        if (found := self._found.get(partition)) is not None:
            rows = self._following(partition, found, rows)
        replay = self._replays[partition]
        counts = replay.read(rows)
        # A recovery that is broken off begins again where it could not tell yet what counts.
        known = last if replay.undecided is None else replay.undecided - 1
        self._apply(partition, list(counts.items()), Mark(known, replay.epoch))

    def recovered(self, partition: int, last: int) -> None:
        """The changelog ends with the offset `last`."""
        self._found.pop(partition, None)
        replay = self._replays[partition]
        self._apply(partition, list(replay.end().items()), Mark(last, replay.epoch))

    def _following(self, partition: int, found: Mark, rows: Iterable[Recovered]) -> list[Recovered]:
        """Those behind the rows that were here. A broker that has lost the end of its log gives the offsets
        again; whoever writes there has a later epoch, which began before our last row."""
        following = []
        for row in rows:
            if row.epoch is not None and row.epoch > found.epoch and row.epoch.end <= found.offset:
                self._rows.clear(partition)
                raise StoreDamaged(
                    f"{self.changelog}/{partition} has lost rows that were read up to {found.offset}: "
                    f"at {row.offset} it goes on from {row.epoch.end}; the next start reads all of it"
                )
            if row.offset > found.offset:
                following.append(row)
        return following

    def corrections(self, partition: int) -> list[Write]:
        """Rows to be written again because one that does not count is their newest in the changelog."""
        left_out = self._replays[partition].left_out if partition in self._replays else ()
        return [
            (key, self._rows.get(partition, key)) for key in sorted(left_out, key=lambda k: (owner_of(k), k))
        ]

    def sends(self, partition: int, writes: Sequence[Write]) -> list[Send]:
        """The writes as changelog messages. Rows that belong together and follow each other are a group."""
        last: tuple[tuple[str, bytes], ...] = ((EPOCH_HEADER, self._epochs[partition].encode()),)
        if self.format > 1:
            last = (*last, (FORMAT_HEADER, b"%d" % self.format))
        return [
            Send(
                self.changelog,
                key.encode(),
                value,
                (*last, (MORE_HEADER, b"%d" % more)) if more else last,
                partition,
            )
            for (key, value), more in zip(writes, followers([key for key, _ in writes]), strict=True)
        ]

    def confirm(self, partition: int, writes: Sequence[Write], offsets: Sequence[int]) -> None:
        """Applies own writes that the broker has at these changelog offsets, in this order.

        Raises `ForeignWriter` when they do not follow the last one we know: then another worker has
        written as well, and only a recovery can tell what is right.
        """
        expected = self._marks[partition].offset + 1
        if offsets[0] != expected or offsets[-1] != expected + len(offsets) - 1:
            raise ForeignWriter(f"{self.changelog}/{partition}: expected offset {expected}, got {offsets[0]}")
        if left_out := self._replays[partition].left_out:
            for key, _ in writes:
                left_out.pop(key, None)
        self._apply(partition, writes, Mark(offsets[-1], self._epochs[partition]))

    def due(self, now: float, limit: int, partitions: Collection[int]) -> list[tuple[int, str]]:
        """At most `limit` rows of `partitions`, as partition and key, whose time may have come; each is named
        once. `served` is to be called when they were looked at.

        No partition keeps the others waiting. An entry may be outdated: see `is_due`.
        """
        if self._due_of is None:
            return []
        named: dict[tuple[int, str], None] = {}
        queues = ((each, self._rows.queue(each, self._due_of)) for each in self._open(partitions))
        due = [found for found in queues if (when := found[1].next) is not None and when <= now]
        left = limit
        for count, (partition, queue) in enumerate(due):
            surfaced = self._surfaced.setdefault(partition, {})
            entries = queue.pop(now, -(-left // (len(due) - count)))
            left -= len(entries)
            for at, key in entries:
                surfaced.setdefault(key, []).append(at)
                named[partition, key] = None
        return list(named)

    def late_s(self, now: float) -> float:
        """How long the earliest row that `due` has named has waited to be served, in seconds."""
        # Of each partition they have surfaced in the order of their times.
        firsts = (next(iter(surfaced.values())) for surfaced in self._surfaced.values() if surfaced)
        return max((now - times[0] for times in firsts), default=0.0)

    def sizes(self) -> Iterator[RowsSize]:
        """What each open partition takes."""
        return map(self._rows.size, self._marks)

    def is_due(self, key: str, value: bytes, now: float) -> bool:
        """Whether a row wants attention now."""
        when = self._due_of(key, value) if self._due_of is not None else None
        return when is not None and when <= now

    def served(
        self, now: float, again_at: float, later: Mapping[tuple[int, str], float] = NONE_LATER
    ) -> None:
        """What `due` has named was served as far as it can be, and that is confirmed. Rows that are due all
        the same come again at `again_at`, or when `later` says so of them."""
        assert self._due_of is not None
        for partition, surfaced in self._surfaced.items():
            queue = self._rows.queue(partition, self._due_of)
            for key, times in surfaced.items():
                value = self._rows.get(partition, key)
                when = None if value is None else self._due_of(key, value)
                queue.settle(Due(at, key) for at in times if at != when)
                if when is not None and when <= now:
                    queue.push(Due(later.get((partition, key), again_at), key))
        self._surfaced.clear()

    def _open(self, partitions: Collection[int]) -> Iterator[int]:
        return (each for each in self._marks if each in partitions)

    def next_due(self, partitions: Collection[int]) -> float | None:
        """The earliest time at which `due` may return something."""
        if self._due_of is None:
            return None
        nexts = (self._rows.queue(each, self._due_of).next for each in self._open(partitions))
        return min((when for when in nexts if when is not None), default=None)

    def _apply(self, partition: int, writes: Sequence[Write], mark: Mark) -> None:
        # Until a row that does not count has been corrected, whoever comes next must find it again.
        left_out = self._replays[partition].left_out.values()
        kept = Mark(min(left_out) - 1, mark.epoch) if left_out else mark
        self._rows.apply(partition, writes, kept, self._dues(writes))
        self._marks[partition] = mark

    def _dues(self, writes: Sequence[Write]) -> list[Due]:
        if (due_of := self._due_of) is None:
            return []
        dues = ((None if value is None else due_of(key, value), key) for key, value in writes)
        return [Due(when, key) for when, key in dues if when is not None]
