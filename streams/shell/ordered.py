"""The loop of an ordered stage: take what is there, decide, confirm outputs, confirm rows, acknowledge."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from time import perf_counter
from typing import Any

from schemas.letters import returned
from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, ForeignWriter, Revoked
from streams.shell.inbox import Inbox
from streams.shell.letters import keys_of, row_record, rows_of
from streams.shell.metrics import ShellMetrics
from streams.shell.offsets import TopicPartition
from streams.shell.outbox import DeadLetter, Outbox, check_size
from streams.shell.overlay import Overlay
from streams.shell.rows import Write
from streams.shell.settings import ShellSettings
from streams.shell.stage import Decision, NotYet, Record, Stage
from streams.shell.table import Table
from transport.producer import Send
from transport.values import Upload

log = logging.getLogger(__name__)

SLICE_S = 0.005
"""The longest that decisions keep the event loop from everything else."""

_TURN_S = 0.25
"""A turn that has taken so long is confirmed, however many records are left: what has been decided must not
wait for the rest of them, nor a row that is due."""

_UPLOAD_BYTES = 32 * 1024 * 1024
"""A turn with this much to upload decides nothing more: it is all in memory."""

_AGAIN_S = 1.0
"""A row that is still due after it was served is looked at again after this time."""

Pending = deque[tuple[TopicPartition, Record]]


class _Turn:
    """What one round of decisions adds up to."""

    def __init__(self, table: Table | None, now: float) -> None:
        self.now = now
        self.overlay = Overlay(table)
        self.sends: list[Send] = []
        self.uploads: list[Upload] = []
        self.upload_bytes = 0
        self.not_yet: NotYet | None = None
        """What a row that is due waits for."""
        self.finished: dict[TopicPartition, int] = {}
        self.records = 0
        self.served: list[tuple[int, str]] = []
        self.again: dict[tuple[int, str], float] = {}
        """Of these, when some are to be served again at the earliest."""

    def add(self, partition: int, decision: Decision) -> None:
        self.sends.extend(decision.sends)
        if decision.uploads:
            self.uploads.extend(decision.uploads)
            self.upload_bytes += sum(len(upload.content) for upload in decision.uploads)
        self.overlay.write(partition, decision.writes)


class OrderedStage:
    """Runs one `Stage` over all partitions of this worker."""

    def __init__(
        self,
        stage: Stage,
        table: Table | None,
        inbox: Inbox,
        outbox: Outbox,
        dead_letter: DeadLetter,
        *,
        settings: ShellSettings,
        clock: Callable[[], float],
        metrics: ShellMetrics,
    ) -> None:
        self._stage = stage
        self._table = table
        self._inbox = inbox
        self._outbox = outbox
        self._dead_letter = dead_letter
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._source = settings.kafka.full_name(stage.source)
        self._assignment: Assignment | None = None
        self._caught_up: frozenset[int] = frozenset()
        """The partitions of which all is done that was there when the assignment began."""
        self._all_caught_up: Assignment | None = None
        """Under which these are all."""
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def name(self) -> str:
        """Of the stage."""
        return self._stage.name

    def overdue_s(self) -> float | None:
        """How long the earliest row has been due, 0 for one in the future; None where rows have no times."""
        if self._table is None or self._stage.due is None:
            return None
        next_due = self._table.next_due(self._table.partitions)
        return 0.0 if next_due is None else max(0.0, self._clock() - next_due)

    def serve(self, assignment: Assignment) -> None:
        """The tables are recovered: rows that are due may be served."""
        self._assignment = assignment
        self._inbox.filled.set()
        if self._stage.companion is not None and self._table is not None:
            self._stage.companion.begin(self._table)

    async def release(self) -> None:
        """Begins nothing new; returns when the turn under way has ended. The caller bounds the wait."""
        self._assignment = None
        self._inbox.clear()
        if self._stage.companion is not None:
            await self._stage.companion.end()
        await self._idle.wait()

    async def run(self) -> None:
        """Until cancelled. Raises `Fatal`."""
        while True:
            await self._wait()
            self._idle.clear()
            try:
                await self._work()
            except Revoked as revoked:
                log.warning("%s: dropped a batch, its partitions are gone: %s", self._stage.name, revoked)
            finally:
                self._idle.set()

    async def _wait(self) -> None:
        """Until there are records, or rows may be due."""
        next_due = None if self._table is None else self._table.next_due(self._ready(self._table))
        patience = None
        if next_due is not None:
            # The clock may be a manual one, which does not move while we sleep.
            patience = min(max(next_due - self._clock(), 0.0), self._settings.due_poll_s)
        try:
            async with asyncio.timeout(patience):
                await self._inbox.filled.wait()
        except TimeoutError:
            pass

    def _ready(self, table: Table, assignment: Assignment | None = None) -> frozenset[int]:
        """The partitions of which rows that are due may be served.

        Of none before all is decided that was there when the assignment began. The owner before may have
        decided some of it and sent what followed, so here it must find the same rows, whatever is due by now.
        """
        ours = self._assignment
        if ours is None or assignment not in (None, ours):
            return frozenset()
        if self._all_caught_up is not ours:
            self._caught_up = ours.offsets.caught_up(self._source)
            if self._caught_up >= table.partitions:
                self._all_caught_up = ours
        return self._caught_up

    async def _work(self) -> None:
        deliveries = self._inbox.take(self._settings.batch)
        assignment = deliveries[0].assignment if deliveries else self._assignment
        if assignment is None or assignment.released.is_set():
            return
        pending: Pending = deque((d.tp, record) for d in deliveries for record in d.records)
        await self._turn(assignment, pending)
        while pending and not assignment.released.is_set():
            await self._turn(assignment, pending)

    async def _turn(self, assignment: Assignment, pending: Pending) -> None:
        """Decides until the records are through, the time of a turn is over, or one says `NotYet`; then waits
        as that one asks.

        Rows that are due come last: whoever decides the records again has not served them yet.
        """
        began = perf_counter()
        turn = _Turn(self._table, self._clock())
        waited_s = turn.now - pending[0][1].timestamp_ms / 1000 if pending else 0.0
        not_yet = await self._decide_records(turn, pending, assignment)
        await self._decide_due(turn, assignment)
        not_yet = not_yet or turn.not_yet
        await self._confirm(turn, assignment)
        if turn.records:
            seconds = perf_counter() - began
            self._metrics.batch(self._stage.name, turn.records, seconds, waited_s + seconds)
        if not_yet is not None:
            try:
                await _either(not_yet.wait, assignment.released)
            except TimeoutError:
                log.warning("%s: what it needs has not come yet, and is waited for again", self._stage.name)

    async def _decide_records(self, turn: _Turn, pending: Pending, assignment: Assignment) -> NotYet | None:
        pause_at = perf_counter() + SLICE_S
        over_at = perf_counter() + _TURN_S
        while pending and not assignment.released.is_set() and turn.upload_bytes < _UPLOAD_BYTES:
            tp, record = pending[0]
            try:
                decision = self._decide(tp.partition, record, turn)
                check_size(decision)
            except NotYet as not_yet:
                return not_yet
            except Exception as error:
                turn.sends.append(self._bury(record, error))
            else:
                turn.add(tp.partition, decision)
            pending.popleft()
            turn.finished[tp] = record.offset
            turn.records += 1
            if perf_counter() > pause_at:
                await asyncio.sleep(0)
                pause_at = perf_counter() + SLICE_S
                if pause_at > over_at:
                    break
        return None

    def _decide(self, partition: int, record: Record, turn: _Turn) -> Decision:
        again = returned(record.headers)
        if again is not None:
            if not again.is_of(self._stage.name):
                return Decision()  # The sink had given up on it; here it has had its effect.
            if again.is_row:
                return self._decide_returned(partition, record, turn)
        return self._stage.decide(record, turn.overlay.of(partition), turn.now)

    async def _decide_due(self, turn: _Turn, assignment: Assignment) -> None:
        if self._table is None:
            return
        ready = self._ready(self._table, assignment)
        turn.served = self._table.due(turn.now, self._settings.due_limit, ready)
        served, pause_at = 0, perf_counter() + SLICE_S
        for partition, key in turn.served:
            if perf_counter() > pause_at:
                await asyncio.sleep(0)
                pause_at = perf_counter() + SLICE_S
            if assignment.released.is_set():
                break
            value = turn.overlay.of(partition).get(key)
            if value is not None and self._table.is_due(key, value, turn.now):
                decision = self._decide_row(partition, key, value, turn)
                turn.add(partition, decision)
                if decision.again_s is not None:
                    turn.again[partition, key] = turn.now + decision.again_s
                served += 1
        if served:
            self._metrics.due(self._stage.name, served, self._table.late_s(turn.now))

    def _decide_row(self, partition: int, key: str, value: bytes, turn: _Turn) -> Decision:
        try:
            return self._serve_row(partition, key, value, turn)
        except NotYet as not_yet:
            turn.not_yet = not_yet
            return Decision()
        except Exception as error:
            return self._give_row_up(self._row(partition, key, value, turn), error)

    def _serve_row(self, partition: int, key: str, value: bytes, turn: _Turn) -> Decision:
        if self._stage.due is not None:
            self._stage.due(key, value)  # Raises again what made a row due at once.
        decision = Decision(writes={key: None})
        if self._stage.on_due is not None:
            decision = self._stage.on_due(key, value, turn.overlay.of(partition), turn.now)
        check_size(decision)
        return decision

    def _decide_returned(self, partition: int, record: Record, turn: _Turn) -> Decision:
        """A row that was a dead letter is served at once, so that what fails again is the same letter."""
        rows = rows_of(record)
        key = next(iter(rows))
        if record.value is None or turn.overlay.of(partition).get(key) is not None:
            return Decision()  # Sent twice, or there is a new one by now.
        turn.overlay.write(partition, rows)
        try:
            return self._serve_row(partition, key, record.value, turn)
        except NotYet:
            turn.overlay.write(partition, dict.fromkeys(rows))
            raise
        except Exception as error:
            row = self._row(partition, key, record.value, turn)
            row.headers = record.headers
            return self._give_row_up(row, error)

    def _row(self, partition: int, key: str, value: bytes, turn: _Turn) -> Record:
        kept, tenant_id = turn.overlay.of(partition), None
        if self._stage.owner is not None:
            # Nobody may be able to read it: that may be why it is given up on.
            with suppress(Exception):
                tenant_id = self._stage.owner(key, value)
        return row_record(self._stage.table or "", partition, key, value, kept, turn.now, tenant_id=tenant_id)

    def _give_row_up(self, row: Record, error: Exception) -> Decision:
        """As a record that can't be decided: its bytes go to the dead letters, and it is not tried again
        until somebody says so. Nobody would ever ask for the rows that belong to it: they go along."""
        return Decision(sends=[self._bury(row, error)], writes=dict.fromkeys(keys_of(row)))

    def _bury(self, record: Record, error: Exception) -> Send:
        if isinstance(error, Fatal):
            raise error  # The process is to blame, not the record.
        self._metrics.dead_letter(self._stage.name, type(error).__name__)
        return self._dead_letter(self._stage.name, record, error)

    async def _confirm(self, turn: _Turn, assignment: Assignment) -> None:
        """Outputs before rows: a crash in between decides the same records again on the same rows."""
        await assignment.ensure_ours()
        if turn.uploads:
            await self._outbox.upload(turn.uploads)
            await assignment.ensure_ours()
        if turn.sends:
            await self._outbox.send(turn.sends)
        await self._confirm_rows(turn, assignment)
        for tp, offset in turn.finished.items():
            assignment.offsets.finish_through(tp, offset)

    async def _confirm_rows(self, turn: _Turn, assignment: Assignment) -> None:
        table = self._table
        if table is None:
            return
        writes = turn.overlay.writes()
        if writes:
            await assignment.ensure_ours()
            sends = [send for partition, rows in writes.items() for send in table.sends(partition, rows)]
            offsets = await self._outbox.send_rows(sends)
            try:
                _apply(table, writes, offsets)
            except ForeignWriter:
                # Either of us is late. If the group says it is us, the owner will notice and correct it.
                await assignment.ensure_ours()
                raise
        if turn.served:
            table.served(turn.now, turn.now + _AGAIN_S, turn.again)


def _apply(table: Table, writes: dict[int, list[Write]], offsets: list[int]) -> None:
    begin = 0
    for partition, rows in writes.items():
        table.confirm(partition, rows, offsets[begin : begin + len(rows)])
        begin += len(rows)


async def _either(wait: Callable[[], Awaitable[None]], released: asyncio.Event) -> None:
    """Returns when `wait()` does, or when the assignment is released, whatever comes first."""
    waits: set[asyncio.Future[Any]] = {
        asyncio.ensure_future(wait()),
        asyncio.ensure_future(released.wait()),
    }
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for finished in done:
            finished.result()
    finally:
        for unfinished in waits:
            unfinished.cancel()
