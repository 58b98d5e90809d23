"""The loop of a task stage: many records at once, each acknowledged on its own."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from time import perf_counter, time
from typing import Any

from schemas.letters import is_meant_for
from streams.shell.assignment import Assignment
from streams.shell.inbox import Limits
from streams.shell.metrics import ShellMetrics
from streams.shell.offsets import TopicPartition
from streams.shell.ordered import SLICE_S
from streams.shell.outbox import DeadLetter, Outbox, check_size
from streams.shell.queues import Queues
from streams.shell.stage import Decision, Record, TaskStage
from transport.producer import Send

log = logging.getLogger(__name__)

_ONE_BATCH_BYTES = 8 * 1024 * 1024

_RUNNING_BYTES = 64 * 1024 * 1024
"""Of the records whose tasks are under way: with so much of it no other begins. Few are larger than some KiB,
for large values are references."""


_Place = tuple[TopicPartition, int]
"""Partition and offset of a record."""


@dataclass(slots=True)
class _Running:
    """A task and the assignment that its record counts for: the one that delivered it last."""

    assignment: Assignment
    size_bytes: int
    """Of the record."""
    task: "asyncio.Task[None] | None" = None


class ConcurrentStage:
    """Runs one `TaskStage` over all partitions of this worker."""

    def __init__(
        self, stage: TaskStage, inbox: Queues, outbox: Outbox, dead_letter: DeadLetter, metrics: ShellMetrics
    ) -> None:
        self._stage = stage
        self._inbox = inbox
        self._outbox = outbox
        self._dead_letter = dead_letter
        self._metrics = metrics
        self._running: dict[_Place, _Running] = {}
        self._running_bytes = 0
        self._slot = asyncio.Event()
        self._draining = False
        self._done: list[tuple[_Place, float]] = []
        """What was done as it came and is not sent yet, and when it began."""
        self._sends: list[Send] = []
        """That follow from these."""
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def running(self) -> int:
        """Tasks under way."""
        return len(self._running)

    async def run(self) -> None:
        """Until cancelled. Raises `Fatal`."""
        while True:
            await self._first_of(self._inbox.filled.wait())
            free = self._stage.concurrency - len(self._running)
            if free <= 0 or self._draining or self._running_bytes >= _RUNNING_BYTES:
                self._slot.clear()
                await self._first_of(self._slot.wait())
                continue
            pause_at = perf_counter() + SLICE_S
            for delivery in self._inbox.take(Limits(free, _ONE_BATCH_BYTES)):
                first = delivery.records[0]
                self._metrics.waited(first.topic, time() - first.timestamp_ms / 1000)
                for record in delivery.records:
                    if perf_counter() > pause_at:
                        self._send_done()
                        await asyncio.sleep(0)
                        pause_at = perf_counter() + SLICE_S
                    self._begin(delivery.assignment, delivery.tp, record)
            self._send_done()

    async def drain(self, timeout_s: float) -> int:
        """Begins nothing new from now on. Returns when nothing runs any more, or then; how many still run."""
        self._draining = True
        tasks = [running.task for running in self._running.values() if running.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
        return len(self._running)

    async def release(self, grace_s: float) -> None:
        """Begins nothing new; waits at most `grace_s` for what runs. What runs longer goes on, and counts
        for the next assignment if its record is delivered again while it does."""
        self._inbox.clear()
        tasks = [running.task for running in self._running.values() if running.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace_s)

    async def cancel(self) -> None:
        """Ends what still runs, unacknowledged."""
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, assignment: Assignment, tp: TopicPartition, record: Record) -> None:
        if assignment.released.is_set() or assignment.offsets.is_finished(tp, record.offset):
            return
        place = (tp, record.offset)
        running = self._running.get(place)
        if running is not None:
            running.assignment = assignment
            return
        running = self._running[place] = _Running(assignment, len(record.value or b""))
        self._running_bytes += running.size_bytes
        began, sends = perf_counter(), list[Send]()
        try:
            if is_meant_for(self._stage.name, record.headers):
                found = self._stage.execute(record)
                if not isinstance(found, list):
                    task = self._start(self._execute(record, found, began), [place])
                    # One that is cancelled before its first step never came to it.
                    task.add_done_callback(lambda _: found.close())
                    return
                check_size(Decision(sends=found))
                sends = found
        except Exception as error:
            sends = [self._bury(record, error)]
        self._done.append((place, began))
        self._sends += sends

    def _start(self, work: Coroutine[None, None, None], places: Sequence[_Place]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        for place in places:
            self._running[place].task = task
        task.add_done_callback(lambda task: self._end(places, task))
        return task

    async def _execute(self, record: Record, work: Coroutine[Any, Any, list[Send]], began: float) -> None:
        try:
            sends = await work
            check_size(Decision(sends=sends))
        except Exception as error:
            sends = [self._bury(record, error)]
        await self._confirm(sends, [began])

    def _send_done(self) -> None:
        """What was done as it came travels together."""
        if self._done:
            places, began = zip(*self._done, strict=True)
            self._start(self._confirm(self._sends, began), places)
            self._done, self._sends = [], []

    async def _confirm(self, sends: Sequence[Send], began: Sequence[float]) -> None:
        if sends:
            await self._outbox.send(sends)
        now = perf_counter()
        for at in began:
            self._metrics.task(self._stage.name, now - at)

    def _end(self, places: Sequence[_Place], task: "asyncio.Task[None]") -> None:
        for place in places:
            self._end_one(place, task)

    def _end_one(self, place: _Place, task: "asyncio.Task[None]") -> None:
        running = self._running.pop(place)
        self._running_bytes -= running.size_bytes
        self._slot.set()
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None:
            if not self._failure.done():
                self._failure.set_exception(failure)
        elif not running.assignment.over:
            running.assignment.offsets.finish(*place)

    def _bury(self, record: Record, error: Exception) -> Send:
        self._metrics.dead_letter(self._stage.name, type(error).__name__)
        return self._dead_letter(self._stage.name, record, error)

    async def _first_of(self, wait: Coroutine[None, None, bool]) -> None:
        """Waits, unless a task has failed in a way that nobody may go on after."""
        waiting = asyncio.create_task(wait)
        waits: set[asyncio.Future[Any]] = {waiting, self._failure}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if self._failure.done():
            self._failure.result()
