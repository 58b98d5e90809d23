"""The composition of the shell: an embedded Faust app, one reader, and a loop for each stage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, time
from typing import Any

from streams.shell.assignment import Assignment
from streams.shell.errors import Fatal, Overdue, TopicsUnfit, exit_now
from streams.shell.inbox import Inbox, Limits
from streams.shell.metrics import NoMetrics, ShellMetrics
from streams.shell.offsets import TopicPartition
from streams.shell.ordered import OrderedStage
from streams.shell.outbox import ConfirmingProducer, DeadLetter, Keep, Outbox
from streams.shell.queues import Queues
from streams.shell.quiet import quieten
from streams.shell.reader import Reader
from streams.shell.repairs import ShellThread, new_app
from streams.shell.rocks import RocksRows, new_cache
from streams.shell.rows import MemoryRows, Rows, RowsSize
from streams.shell.settings import ShellSettings
from streams.shell.source import KafkaSource
from streams.shell.stage import Stage, TaskStage
from streams.shell.table import Table
from streams.shell.tasks import ConcurrentStage
from streams.shell.watchdog import Watchdog
from transport.admin import partition_counts
from transport.committed import Commit

log = logging.getLogger(__name__)

_TOPICS_POLL_S = 0.2


class Worker:
    """Runs stages in this process until told to stop. Any number of workers share a group's partitions."""

    def __init__(
        self,
        settings: ShellSettings,
        stages: Sequence[Stage],
        task_stages: Sequence[TaskStage],
        producer: ConfirmingProducer,
        dead_letter: DeadLetter,
        *,
        keep: Keep | None = None,
        metrics: ShellMetrics | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        """Must be called inside the running loop. The producer stays the caller's: close it after `stop`.

        `keep` writes the uploads of decisions. Every source topic belongs to one stage, and exists.
        """
        self.ready = asyncio.Event()
        """Set while partitions are recovered and being read; clear during a rebalance."""
        self._settings = settings
        self._metrics = metrics or NoMetrics()
        self._assignment: Assignment | None = None
        self._assigned_at = 0.0
        self._stopping = False
        self._task_grace_s = settings.task_grace_s
        self._loops: list[asyncio.Task[None]] = []
        self._room = asyncio.Event()
        self._inboxes: dict[str, Inbox] = {}
        self._by_stage: dict[str, Inbox | Queues] = {}
        self._tables: dict[str, Table] = {}
        self._sources: dict[str, str] = {}
        """Changelog topic to the topic of the records that its rows come from."""
        self._watchdog = Watchdog(
            every_s=settings.heartbeat_s, hung_s=settings.hung_s, exit_s=settings.hung_exit_s
        )
        self._cache = new_cache()
        outbox = Outbox(producer, settings.retries, keep)
        self._ordered = [self._new_ordered(stage, outbox, dead_letter, clock) for stage in stages]
        self._tasks = [self._new_tasks(stage, outbox, dead_letter) for stage in task_stages]
        quieten()
        self._app = new_app(settings, self._inboxes, self._tables, self)
        self._source = KafkaSource(settings.kafka, self._call)
        self._reader = Reader(
            self._source,
            self._inboxes,
            self._tables,
            outbox=outbox,
            room=self._room,
            on_ready=self._on_ready,
        )

    async def start(self) -> None:
        """Returns when the worker is a member of its group, or about to be; `ready` is set as soon as its
        partitions are recovered and being read.

        Raises `TopicsUnfit`, and `BrokerUnreachable`.
        """
        loops = [runner.run() for runner in self._ordered] + [runner.run() for runner in self._tasks]
        self._loops = [asyncio.create_task(self._guard(loop)) for loop in loops]
        self._watchdog.start()
        try:
            await self._check_topics()
            await self._app.start()
        except BaseException:
            await self.stop()
            raise

    async def run_until(self, stop: asyncio.Event) -> int:
        """Waits for `stop` or the end of the app, drains, stops, and returns the exit code: 0, or 1 after a
        crash."""
        waits = {
            asyncio.create_task(stop.wait()),
            asyncio.create_task(self._app.wait_until_stopped()),
        }
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if not self._app.crashed:
            await self._drain()
        crashed = bool(self._app.crashed)
        await self.stop()
        return int(crashed)

    async def stop(self) -> None:
        """Ends the work under way, commits it and leaves. What runs longer than allowed is not
        acknowledged and will be replayed."""
        self._stopping = True
        await self._app.stop()
        for runner in self._tasks:
            await runner.cancel()
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        for table in self._tables.values():
            for partition in table.partitions:
                table.close(partition)
        self._watchdog.stop()
        await self._source.close()

    # For whoever watches, from any thread -------------------------------------------------------------

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The source partitions that are ours, by the broker's names; empty during a rebalance."""
        assignment = self._assignment
        if assignment is None:
            return frozenset()
        return frozenset(tp for tp in assignment.partitions if tp.topic in self._inboxes)

    @property
    def is_member(self) -> bool:
        """Whether the group still counts on us, once `ready` is set."""
        return self._alive()

    def waiting(self) -> dict[str, tuple[int, int]]:
        """Records that are read for each stage and not taken by it, and their bytes."""
        return {stage: (len(inbox), inbox.size_bytes) for stage, inbox in self._by_stage.items()}

    def running(self) -> int:
        """Tasks under way."""
        return sum(runner.running for runner in self._tasks)

    def recovery(self) -> tuple[int, int]:
        """Rows of changelogs that were read since the process began, and that are left to be read."""
        return self._reader.rows_read, self._reader.rows_left

    # For whoever watches, on the loop's thread --------------------------------------------------------

    def sizes(self) -> dict[str, RowsSize]:
        """What each table takes in the partitions that are here."""
        return {table.name: _total(table.sizes()) for table in self._tables.values()}

    def overdue_s(self) -> dict[str, float]:
        """By stage whose rows have times: how long the earliest has been due, 0 for one in the future."""
        return {runner.name: late for runner in self._ordered if (late := runner.overdue_s()) is not None}

    # Faust calls these, see `repairs.ShellHooks` ------------------------------------------------------

    async def on_assigned(self, partitions: frozenset[TopicPartition], generation: int) -> None:
        """Hands a new assignment to the reader, which recovers and resumes in its own time."""
        if self._stopping:
            return
        log.info("generation %d: %d partitions", generation, len(partitions))
        for changelog, source in self._sources.items():
            # Topics may have got more while we were at work; at the start `_problem` says so.
            needed = {TopicPartition(changelog, at) for topic, at in partitions if topic == source}
            if needed - partitions:
                exit_now(TopicsUnfit(f"{source} has more partitions than {changelog}"))
        self._assigned_at = monotonic()
        self._assignment = Assignment(generation, partitions, self._alive)
        self._reader.assign(self._assignment)

    async def on_revoked(self, lost: bool) -> None:
        """Lets go of all partitions; after that any of them may belong to somebody else."""
        try:
            await self._let_go(commit=not lost)
        except Fatal as fatal:
            exit_now(fatal)

    def hung(self) -> bool:
        """See `Watchdog.hung`."""
        return self._watchdog.hung

    async def read(self) -> None:
        """The reader's loop, inside Faust's fetcher."""
        await self._guard(self._reader.run())

    async def release(self) -> None:
        """The app stops."""
        await self.on_revoked(lost=False)

    def to_commit(self) -> Mapping[TopicPartition, Commit]:
        """See `Offsets.to_commit`."""
        return {} if self._assignment is None else self._assignment.offsets.to_commit()

    def committed(self, commits: Mapping[TopicPartition, Commit]) -> None:
        """See `Offsets.committed`."""
        if self._assignment is not None:
            self._assignment.offsets.committed(commits.items())

    # Inside -------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Lets tasks end, which would be executed twice otherwise. The partitions are still ours until then,
        so what comes for them is decided as before."""
        left = await asyncio.gather(*(runner.drain(self._settings.drain_timeout_s) for runner in self._tasks))
        self._task_grace_s = 0.0
        if sum(left):
            log.warning(
                "%d tasks are given up after %g s; who has their partitions next executes them again",
                sum(left),
                self._settings.drain_timeout_s,
            )

    async def _check_topics(self) -> None:
        """Faust ignores a topic that does not exist when it joins its group, for good."""
        deadline = monotonic() + self._settings.topics_wait_s
        while problem := self._problem(await partition_counts(self._settings.kafka)):
            if monotonic() > deadline:
                raise TopicsUnfit(problem)
            await asyncio.sleep(_TOPICS_POLL_S)

    def _problem(self, counts: Mapping[str, int]) -> str | None:
        missing = sorted({*self._inboxes, *self._tables} - set(counts))
        if missing:
            return f"topics do not exist: {', '.join(missing)}"
        for changelog, source in self._sources.items():
            if counts[changelog] != counts[source]:
                return f"{changelog} has {counts[changelog]} partitions and {source} has {counts[source]}"
        return None

    async def _let_go(self, *, commit: bool) -> None:
        self.ready.clear()
        self._reader.assign(None)
        assignment = self._assignment
        if assignment is None:
            return
        assignment.released.set()
        if not commit:
            assignment.end()
        try:
            async with asyncio.timeout(self._settings.release_timeout_s):
                await asyncio.gather(
                    *(runner.release() for runner in self._ordered),
                    *(runner.release(self._task_grace_s) for runner in self._tasks),
                )
        except TimeoutError as timeout:
            raise Overdue("a stage did not end its batch in time") from timeout
        if commit:
            await self._commit_last()
        assignment.end()
        self._assignment = None

    async def _commit_last(self) -> None:
        """What is not committed is done again by the next owner: nothing waits for a broker that is away."""
        try:
            async with asyncio.timeout(self._settings.last_commit_s):
                await self._app.consumer.commit()
        except TimeoutError:
            log.warning("the last commit took too long; its records will be replayed")

    def _on_ready(self, assignment: Assignment) -> None:
        for runner in self._ordered:
            runner.serve(assignment)
        self._app.rebalancing = False
        self._metrics.ready(len(assignment.partitions), monotonic() - self._assigned_at)
        self.ready.set()

    @property
    def _thread(self) -> ShellThread:
        thread: ShellThread = self._app.consumer._thread
        return thread

    async def _call(self, function: Callable[[Any], Awaitable[Any]]) -> Any:
        return await self._thread.call(function)

    def _alive(self) -> bool:
        return monotonic() - self._thread.heard_at < self._settings.session_timeout_s

    async def _guard(self, loop: Coroutine[None, None, None]) -> None:
        """Nothing may go on beside a loop that has failed: it could acknowledge what was never done."""
        with suppress(asyncio.CancelledError):
            try:
                await loop
            except Exception as error:
                exit_now(error)

    def _new_ordered(
        self, stage: Stage, outbox: Outbox, dead_letter: DeadLetter, clock: Callable[[], float]
    ) -> OrderedStage:
        table = None
        if stage.table is not None:
            table = Table(stage, self._new_rows(stage.table))
            changelog = self._settings.kafka.full_name(table.changelog)
            self._tables[changelog] = table
            self._sources[changelog] = self._settings.kafka.full_name(stage.source)
        inbox = self._by_stage[stage.name] = self._new_inbox(stage.source, self._settings.held)
        return OrderedStage(
            stage,
            table,
            inbox,
            outbox,
            dead_letter,
            settings=self._settings,
            clock=clock,
            metrics=self._metrics,
        )

    def _new_tasks(self, stage: TaskStage, outbox: Outbox, dead_letter: DeadLetter) -> ConcurrentStage:
        held, filled = self._settings.held, asyncio.Event()
        share = Limits(held.records // len(stage.sources), held.size_bytes // len(stage.sources))
        inboxes = [self._new_inbox(source, share, filled) for source in stage.sources]
        queues = self._by_stage[stage.name] = Queues(inboxes, filled)
        return ConcurrentStage(stage, queues, outbox, dead_letter, self._metrics)

    def _new_rows(self, table: str) -> Rows:
        if self._settings.store == "memory":
            return MemoryRows()
        folder = self._settings.data_dir / self._settings.worker_id / table
        return RocksRows(folder, cache=self._cache)

    def _new_inbox(self, source: str, held: Limits, filled: asyncio.Event | None = None) -> Inbox:
        topic = self._settings.kafka.full_name(source)
        if topic in self._inboxes:
            raise ValueError(f"two stages read {source}")
        inbox = self._inboxes[topic] = Inbox(held, self._room, filled)
        return inbox


def _total(sizes: Iterable[RowsSize]) -> RowsSize:
    found = list(sizes)
    return RowsSize(sum(one.rows for one in found), sum(one.size_bytes for one in found))
