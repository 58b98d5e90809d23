"""Faults that are injected into a shell worker, and repairs that are switched off, by name.

A scenario runs twice: with a fault alone nothing may be lost; with the fault and without the repair the
loss must show, else the scenario proves nothing.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import RequestTimedOutError
from aiokafka.protocol.commit import OffsetCommitRequest
from faust.assignor.partition_assignor import PartitionAssignor

from streams.shell import offsets, ordered, outbox, table, tasks
from streams.shell.assignment import Assignment
from streams.shell.source import KafkaSource
from transport.committed import Commit

FAULTS: dict[str, Callable[[], None]] = {}


def inject(names: str | None) -> None:
    """Injects the faults in a comma-separated list."""
    for name in filter(None, (names or "").split(",")):
        FAULTS[name]()


def _fault(function: Callable[[], None]) -> Callable[[], None]:
    FAULTS[function.__name__.replace("_", "-")] = function
    return function


@_fault
def commit_what_is_read() -> None:
    """Without the repaired commit: as Faust, past records that are still in flight."""
    offsets._Progress.commit = property(lambda progress: Commit(progress.next))  # type: ignore[assignment,method-assign]


@_fault
def acknowledge_cancelled() -> None:
    """Without the repaired shutdown: as Faust, a cancelled record counts as done."""
    end = tasks.ConcurrentStage._end_one

    def acknowledging(self: Any, place: Any, task: Any) -> None:
        self._running[place].assignment.offsets.finish(*place)
        end(self, place, task)

    tasks.ConcurrentStage._end_one = acknowledging  # type: ignore[method-assign]
    # Faust commits after it has cancelled; the shell commits before, so here the grace cancels.
    release = tasks.ConcurrentStage.release

    async def cancelling(self: Any, grace_s: float) -> None:
        await release(self, grace_s)
        await self.cancel()

    tasks.ConcurrentStage.release = cancelling  # type: ignore[method-assign]


@_fault
def lose_one_fetched_record() -> None:
    """Something underneath skips a record, as Faust does while a recovery ends."""
    fetch = KafkaSource.fetch
    lost: list[int] = []

    async def lossy(self: Any, partitions: Any, timeout_s: float) -> Any:
        fetched = await fetch(self, partitions, timeout_s)
        for tp, records in fetched.items():
            if tp.topic.endswith(".events") and len(records) > 2 and not lost:
                lost.append(records.pop(1).offset)
        return fetched

    KafkaSource.fetch = lossy  # type: ignore[method-assign]


@_fault
def no_gap_guard() -> None:
    """Without the guard against offset gaps."""

    def deliver(self: Any, tp: Any, delivered: Any) -> None:
        progress = self._progress[tp]
        progress.next = delivered[-1] + 1
        progress.unfinished.extend(delivered)

    offsets.Offsets.deliver = deliver  # type: ignore[method-assign]


@_fault
def crash_between_outputs_and_rows() -> None:
    """kill -9 after the outputs are confirmed and before the rows are."""

    async def crash(self: Any, sends: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    outbox.Outbox.send_rows = crash  # type: ignore[method-assign]


@_fault
def crash_before_outputs() -> None:
    """kill -9 before any output, wherever the outputs come in the order."""

    async def crash(self: Any, sends: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    outbox.Outbox.send = crash  # type: ignore[method-assign]


@_fault
def rows_before_outputs() -> None:
    """Without the right order: rows first."""

    async def confirm(self: Any, turn: Any, assignment: Any) -> None:
        await self._confirm_rows(turn, assignment)
        if turn.sends:
            await self._outbox.send(turn.sends)

    ordered.OrderedStage._confirm = confirm  # type: ignore[method-assign]


@_fault
def forget_the_first() -> None:
    """The stage takes a replay of a record for its duplicate."""
    import __main__

    def forgetful(record: Any, kept: Any, now: float) -> Any:
        key = __main__.json.loads(record.value)["id"]
        if kept.get(key) is not None:
            return __main__.Decision()
        return decide(record, kept, now)

    decide = __main__.decide
    __main__.decide = forgetful


@_fault
def freeze_before_rows() -> None:
    """The process is frozen, as by a long swap or a suspended machine, right before it writes rows."""
    ensure_ours = Assignment.ensure_ours
    calls: list[int] = []

    async def freezing(self: Any) -> None:
        calls.append(1)
        if len(calls) == 2:  # The first call of a turn precedes the outputs, the second the rows.
            os.kill(os.getpid(), signal.SIGSTOP)
        await ensure_ours(self)

    Assignment.ensure_ours = freezing  # type: ignore[method-assign]


@_fault
def freeze_while_rows_are_sent() -> None:
    """The process is frozen when it is about to hand its rows over, too late for any check."""
    send_rows = outbox.Outbox.send_rows
    calls: list[int] = []

    async def freezing(self: Any, sends: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGSTOP)
        return await send_rows(self, sends)

    outbox.Outbox.send_rows = freezing  # type: ignore[method-assign]


@_fault
def trust_every_row() -> None:
    """Without the look at the epoch of a row: the newest one counts, whoever wrote it."""
    recover = table.Table.recover

    def trusting(self: Any, partition: int, rows: Any, last: int) -> None:
        recover(self, partition, [row._replace(epoch=None) for row in rows], last)

    table.Table.recover = trusting  # type: ignore[method-assign]


@_fault
def no_ownership_check() -> None:
    """Without the look at the assignment and the last heartbeat before rows are written."""

    async def trusting(self: Any) -> None:
        return None

    Assignment.ensure_ours = trusting  # type: ignore[method-assign]


@_fault
def answer_the_first_commit_late() -> None:
    """The coordinator is frozen while it has a commit, which is tried again once the group has moved on."""
    import __main__

    send = GroupCoordinator._send_req
    held: list[int] = []

    async def late(self: Any, request: Any) -> Any:
        if isinstance(request, OffsetCommitRequest) and not held:
            held.append(1)
            while not (__main__.FOLDER / "thawed").exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            raise RequestTimedOutError
        return await send(self, request)

    GroupCoordinator._send_req = late


@_fault
def fail_to_share() -> None:
    """The leader of the group fails in its first rebalance after the start; aiokafka waits to be asked."""
    assign = PartitionAssignor.assign
    calls: list[int] = []

    def failing(self: Any, cluster: Any, members: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("nobody can have these")
        return assign(self, cluster, members)

    PartitionAssignor.assign = failing  # type: ignore[method-assign]


@_fault
def look_at_topics_often() -> None:
    """Not once in five minutes."""
    begin = AIOKafkaConsumer.__init__

    def often(self: Any, *topics: str, **settings: Any) -> None:
        begin(self, *topics, **{**settings, "metadata_max_age_ms": 500})

    AIOKafkaConsumer.__init__ = often


@_fault
def slow_seek() -> None:
    """The seek to the committed offsets takes a second longer, as with a busy broker."""
    read_from = KafkaSource.read_from

    async def slow(self: Any, positions: Any) -> None:
        await read_from(self, positions)
        await asyncio.sleep(1.0)

    KafkaSource.read_from = slow  # type: ignore[method-assign]
