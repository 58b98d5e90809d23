"""From the broker to the stages: recover the tables, find the place to resume at, then deliver.

One task does all three, one after the other, for one assignment at a time. Stock Faust lets a fetcher, a
recovery service and a flow-control event do them concurrently, and what is fetched in between vanishes
(faust-streaming issue 596); here nothing can be fetched before the seek or survive an assignment.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Protocol

from streams.shell.assignment import Assignment
from streams.shell.errors import Revoked, Stalled
from streams.shell.inbox import Delivery, Inbox
from streams.shell.offsets import TopicPartition
from streams.shell.outbox import Outbox
from streams.shell.replay import Recovered
from streams.shell.rows import Epoch
from streams.shell.stage import Record
from streams.shell.table import EPOCH_HEADER, FORMAT_HEADER, MORE_HEADER, Table
from transport.committed import Commit
from transport.errors import BrokerUnreachable
from transport.pace import Pace

log = logging.getLogger(__name__)

_FETCH_S = 0.25
"""How long a fetch waits when nothing is there; also how long a stopping reader takes to notice."""

_MOST_EMPTY = 240
"""Fetches of a recovery in a row that bring it no further, a minute of them, before the broker is asked."""

_LOOK_S = 1.0
"""Between two looks at the group while there is nothing to fetch: it may never assign anything any more."""

_FETCH_WHILE_FULL_S = 0.02
"""While some stage is full its partitions are left out of the fetch, so look again soon."""

_DISTANCE_PER_RECORD_S, _MOST_DISTANCE_S = 1e-5, 0.03
"""Of the fetches of a busy worker: below some 320 records a second they come further apart than that."""


class Source(Protocol):
    """The consumer underneath. It reads what it is told to, assigned or not."""

    async def fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> Mapping[TopicPartition, list[Record]]:
        """Records from the current positions of these partitions, at once when there are any."""

    async def committed(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Commit]:
        """What the group has committed; partitions without it are missing."""

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        """The first offset that exists and the offset that the next message will get.

        Raises `BrokerUnreachable`.
        """

    async def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        """Reads these partitions on from these offsets, and no others; forgets what was read ahead."""

    def position(self, partition: TopicPartition) -> int:
        """Where the next fetch reads, of a partition that is read."""

    async def look(self) -> None:
        """Raises what ails the group, as `fetch` does, for who has nothing to fetch."""


class Reader:
    """Serves the current assignment until it is replaced."""

    def __init__(
        self,
        source: Source,
        inboxes: Mapping[str, Inbox],
        tables: Mapping[str, Table],
        *,
        outbox: Outbox,
        room: asyncio.Event,
        on_ready: Callable[[Assignment], None],
    ) -> None:
        """`inboxes` and `tables` by the broker's name of the source and changelog topics; `room` is set when
        a full inbox has some again."""
        self._source = source
        self._inboxes = inboxes
        self._tables = tables
        self._outbox = outbox
        self._room = room
        self._on_ready = on_ready
        self._current: Assignment | None = None
        self._changed = asyncio.Event()
        self._pace = Pace(_DISTANCE_PER_RECORD_S, _MOST_DISTANCE_S)
        self.rows_read = 0
        """Of changelogs, since the process began."""
        self.rows_left = 0
        """To be read before the assignment is ready, those that compaction has removed included."""

    def assign(self, assignment: Assignment | None) -> None:
        """Replaces the assignment; None while there is none. What was fetched under an older one is
        dropped."""
        self._current = assignment
        self.rows_left = 0
        self._changed.set()
        self._room.set()

    async def run(self) -> None:
        """Until cancelled. Raises what the source raises, and `Fatal`."""
        while True:
            self._changed.clear()
            assignment = self._current
            if assignment is not None:
                try:
                    await self._serve(assignment)
                except Revoked:
                    if self._current is assignment:
                        raise
                await self._source.read_from({})
            while self._current is assignment and not self._changed.is_set():
                try:
                    await asyncio.wait_for(self._changed.wait(), _LOOK_S)
                except TimeoutError:
                    await self._source.look()

    async def _serve(self, assignment: Assignment) -> None:
        changelogs = {tp for tp in assignment.partitions if tp.topic in self._tables}
        sources = {tp for tp in assignment.partitions if tp.topic in self._inboxes}
        self._close_tables(changelogs)
        if changelogs:
            await self._recover(assignment, changelogs)
            await self._correct(assignment, changelogs)
        if self._current is not assignment:
            return
        if sources:
            await self._resume(assignment, sources)
        if self._current is not assignment:
            return
        self._on_ready(assignment)
        while self._current is assignment and sources:
            await self._deliver_next(assignment, sources)

    # Recovery ------------------------------------------------------------------------------------------

    def _close_tables(self, changelogs: set[TopicPartition]) -> None:
        for topic, table in self._tables.items():
            for partition in table.partitions:
                if TopicPartition(topic, partition) not in changelogs:
                    table.close(partition)

    async def _recover(self, assignment: Assignment, changelogs: set[TopicPartition]) -> None:
        """Applies each changelog up to where it ends now; nobody else may write to it any more."""
        bounds = await self._source.bounds(changelogs)
        starts = {
            tp: self._tables[tp.topic].open(tp.partition, *bounds[tp], assignment.generation)
            for tp in changelogs
        }
        missing = {tp: bounds[tp][1] for tp, start in starts.items() if start < bounds[tp][1]}
        if not missing:
            return
        self.rows_left = sum(missing[tp] - starts[tp] for tp in missing)
        log.info("recovering %d rows of %d partitions", self.rows_left, len(missing))
        await self._source.read_from({tp: starts[tp] for tp in missing})
        empty = 0
        while missing and self._current is assignment:
            left = self.rows_left
            fetched = await self._source.fetch(missing, _FETCH_S)
            if self._current is not assignment:
                return
            for tp, records in fetched.items():
                if tp in missing:
                    self._apply(tp, records)
            # The position and not the last record: compaction may have removed the last ones.
            positions = {tp: self._source.position(tp) for tp in missing}
            self.rows_left = sum(max(0, missing[tp] - position) for tp, position in positions.items())
            for tp, position in positions.items():
                if position >= missing[tp]:
                    self._tables[tp.topic].recovered(tp.partition, position - 1)
                    del missing[tp]
            empty = empty + 1 if self.rows_left == left else 0
            if empty == _MOST_EMPTY:
                empty = 0
                await self._check_broker_is_away(missing)

    async def _check_broker_is_away(self, missing: Collection[TopicPartition]) -> None:
        """Or it would have given them. Raises `Stalled`: nobody would read these partitions ever again."""
        try:
            await self._source.bounds(missing)
        except BrokerUnreachable as away:
            log.warning("recovery waits: %s", away)
        else:
            places = ", ".join(f"{tp.topic}/{tp.partition}" for tp in sorted(missing))
            raise Stalled(f"the broker answers, and {self.rows_left} rows do not come: {places}")

    def _apply(self, tp: TopicPartition, records: Sequence[Record]) -> None:
        rows = [_recovered(r.key, r) for r in records if r.key is not None]
        self.rows_read += len(records)
        self._tables[tp.topic].recover(tp.partition, rows, records[-1].offset)

    async def _correct(self, assignment: Assignment, changelogs: set[TopicPartition]) -> None:
        """Writes again what a worker has overwritten that had lost its partitions, or that died halfway."""
        for tp in changelogs:
            if self._current is not assignment:
                return
            table = self._tables[tp.topic]
            writes = table.corrections(tp.partition)
            if writes:
                log.warning("%s/%d: %d rows came late or in part, correcting them", *tp, len(writes))
                await assignment.ensure_ours()
                offsets = await self._outbox.send_rows(table.sends(tp.partition, writes))
                table.confirm(tp.partition, writes, offsets)

    # Resuming ------------------------------------------------------------------------------------------

    async def _resume(self, assignment: Assignment, sources: set[TopicPartition]) -> None:
        """Seeks every source partition, those without a committed offset to the first one that exists."""
        committed = await self._source.committed(sources)
        bounds = await self._source.bounds(sources)
        starts = {tp: _resume_at(tp, committed.get(tp), bounds[tp]) for tp in sources}
        for tp, start in starts.items():
            assignment.offsets.start(tp, start, bounds[tp][1])
        await self._source.read_from({tp: start.offset for tp, start in starts.items()})

    # Delivery ------------------------------------------------------------------------------------------

    async def _deliver_next(self, assignment: Assignment, sources: set[TopicPartition]) -> None:
        if (wait_s := self._pace.wait_s(monotonic())) > 0:
            await asyncio.sleep(wait_s)
            if self._current is not assignment:
                return
        self._room.clear()
        crowded = assignment.offsets.crowded
        wanted = {tp for tp in sources if not self._inboxes[tp.topic].full} - crowded
        if not wanted:
            with suppress(TimeoutError):
                # Nobody says when a partition is not crowded any more.
                await asyncio.wait_for(self._room.wait(), _FETCH_S if crowded else None)
            return
        patience = _FETCH_S if len(wanted) == len(sources) else _FETCH_WHILE_FULL_S
        fetched = await self._source.fetch(wanted, patience)
        self._pace.done(sum(map(len, fetched.values())), monotonic())
        # A fetch outlives a rebalance; what it returns then belongs to somebody else, or is read again
        # after the seek of the next assignment.
        if self._current is not assignment:
            return
        for tp, records in fetched.items():
            self._deliver(assignment, tp, records)

    def _deliver(self, assignment: Assignment, tp: TopicPartition, records: list[Record]) -> None:
        assignment.offsets.deliver(tp, [r.offset for r in records])
        size = sum(len(r.value or b"") for r in records)
        self._inboxes[tp.topic].put(Delivery(assignment, tp, records, size))


def _recovered(key: bytes, record: Record) -> Recovered:
    headers = dict(record.headers)
    epoch = Epoch.decode(headers[EPOCH_HEADER]) if EPOCH_HEADER in headers else None
    more, form = headers.get(MORE_HEADER, 0), headers.get(FORMAT_HEADER, 1)
    return Recovered(key.decode(), record.value, epoch, record.offset, int(more), int(form))


def _resume_at(tp: TopicPartition, committed: Commit | None, bounds: tuple[int, int]) -> Commit:
    earliest, end = bounds
    if committed is None:
        return Commit(earliest)
    if committed.offset < earliest:
        log.error("%s/%d: retention removed %d unread records", *tp, earliest - committed.offset)
        return Commit(earliest)
    if committed.offset > end:
        log.error(
            "%s/%d: committed offset %d is beyond the end %d; the topic was made anew",
            *tp,
            committed.offset,
            end,
        )
        return Commit(earliest)
    return committed
