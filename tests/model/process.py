"""One modelled worker process: the real `Worker` with all its stages, on what the model has."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

from schemas.topics import TOPICS
from streams.engine.state import SPLIT_BYTES
from streams.interruptions import Interruptions
from streams.shell.errors import Fatal
from streams.shell.offsets import TopicPartition
from streams.shell.outbox import DeadLetter
from streams.shell.rows import MemoryRows
from streams.shell.settings import ShellSettings
from streams.shell.stage import Stage, TaskStage
from streams.shell.worker import Worker
from tests.model.broker import PARTITIONS, Broker
from tests.model.consumer import App, Source, Thread
from tests.model.group import Group
from tests.model.link import Link
from tests.model.loop import Clock, ProcessLoop
from transport.settings import KafkaSettings

KAFKA = KafkaSettings(topic_prefix="")
RUNNING, STOPPED, DEAD = "running", "stopped", "dead"


class DiskRows(MemoryRows):
    """In place of RocksDB: outlives its process."""

    def __init__(self, found: "DiskRows | None") -> None:
        """`found`: what is on the disk."""
        super().__init__()
        if found is not None:
            self._rows, self._together, self._marks = found._rows, found._together, found._marks

    def close(self, partition: int) -> None:
        """It stays on the disk."""
        self._queues.pop(partition, None)


class Disk:
    """Of one worker: its tables by their folders. A store in memory is one that is lost with its process."""

    def __init__(self, *, is_lasting: bool) -> None:
        self._is_lasting = is_lasting
        self._tables: dict[Path, DiskRows] = {}

    def open(self, folder: Path, **_: Any) -> MemoryRows:
        """In place of `RocksRows`."""
        if not self._is_lasting:
            return MemoryRows()
        rows = self._tables[folder] = DiskRows(self._tables.get(folder))
        return rows

    def forget(self) -> None:
        """A power cut: no store that was open is believed (docs/adr/0022)."""
        self._tables.clear()


Stages = Callable[["Process"], tuple[list[Stage], list[TaskStage]]]


class Process:
    """From `start` until it has left the group, has given up or is killed."""

    def __init__(
        self,
        name: str,
        clock: Clock,
        broker: Broker,
        group: Group,
        disk: Disk,
        *,
        stages: Stages,
        bury: DeadLetter,
    ) -> None:
        self.name = name
        self.state = RUNNING
        self.loop = ProcessLoop(clock)
        self.link = Link(broker, self.loop.create_future)
        self.given_up: BaseException | None = None
        """Why it has ended itself."""
        self.interruptions = Interruptions()
        self._group = group
        self._is_letting_go = False
        self._is_leaving = False
        self._commits: asyncio.Future[None] | None = None
        """Commits wait for this."""
        settings = ShellSettings(KAFKA, name, Path("model"), store="rocksdb")
        self.source = Source(self, broker)
        with self.loop.current(), patch("streams.shell.worker.new_app", self._new_app):
            with (
                patch("streams.shell.worker.RocksRows", disk.open),
                patch("streams.shell.worker.KafkaSource", lambda *_: self.source),
            ):
                ordered, tasks = stages(self)
                self.worker = Worker(settings, ordered, tasks, self.link, bury, clock=clock)
            self.loop.create_task(self.worker.start())

    def _new_app(self, _settings: Any, _sources: Any, _tables: Any, hooks: Any) -> App:
        self.app = App(self, self._group, hooks)
        return self.app

    @property
    def thread(self) -> Thread:
        return self.app.consumer._thread

    @property
    def is_running(self) -> bool:
        return self.state == RUNNING

    def pump(self) -> bool:
        """Does all that it can do now; whether that was anything."""
        if self.state != RUNNING:
            return False
        try:
            return self.loop.pump()
        except _GaveUp as reason:
            self.given_up = reason.__cause__
            self.kill()
            return True

    def kill(self, written: int = 0) -> None:
        """As `kill -9`. So many of the messages under way were on the wire."""
        self.state = DEAD
        self.loop.abandon()
        self.link.die(written)

    def stop(self) -> None:
        """As SIGSTOP: what librdkafka was given may still arrive."""
        self.state = STOPPED

    def go_on(self) -> None:
        """As SIGCONT."""
        self.state = RUNNING

    def leave(self) -> None:
        """As SIGTERM, of which only the first counts."""
        if self._is_leaving:
            return
        self._is_leaving = True
        task = self.loop.create_task(self.worker.stop())
        task.add_done_callback(lambda _: self.kill())

    def commit(self) -> None:
        """As Faust's timer."""
        self.loop.create_task(self.app.consumer.commit())

    def hold_commits(self, *, held: bool) -> None:
        """Commits wait until they are held no more."""
        if held:
            self._commits = self._commits or self.loop.create_future()
        elif self._commits is not None:
            self._commits.set_result(None)
            self._commits = None

    async def commits_pass(self) -> None:
        """Returns when the broker takes commits."""
        if self._commits is not None:
            await asyncio.shield(self._commits)

    def assign(self, partitions: frozenset[TopicPartition], generation: int) -> None:
        """The coordinator has spoken, perhaps to one that is dead already."""
        if self.state == DEAD:
            return
        self.thread.generation = generation
        self.loop.create_task(self.app.consumer.on_partitions_assigned(partitions, generation))

    def let_go(self, *, lost: bool) -> None:
        """A rebalance begins, or has happened without this process."""
        if self._is_letting_go or self._is_leaving or self.state == DEAD:
            return
        self._is_letting_go = True
        if lost:
            self.thread.generation = -1
        self.loop.create_task(self._let_go())

    async def _let_go(self) -> None:
        await self.app.consumer.on_partitions_revoked(())
        self._is_letting_go = False
        if not self._is_leaving:
            self._group.join(self)


class _GaveUp(SystemExit):
    """In place of `os._exit`."""


def _exit_now(reason: BaseException) -> None:
    raise _GaveUp from reason


class _Watchdog:
    """In place of the thread that finds a loop that stands still: here all loops stand still together."""

    hung = False

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


async def _partition_counts(_: KafkaSettings) -> dict[str, int]:
    return dict.fromkeys(TOPICS, PARTITIONS)


def is_giving_up(reason: BaseException) -> bool:
    """Whether a process may end itself for this reason: its restart replays."""
    return isinstance(reason, Fatal)


@contextmanager
def modelled(clock: Clock, split_bytes: int = SPLIT_BYTES) -> Iterator[None]:
    """What the shell asks of its machine: the time, and its end. Nothing depends on chance.

    `split_bytes`: what is larger of a run is kept in rows of their own.
    """
    with ExitStack() as stack:
        stack.enter_context(patch("streams.runner.SPLIT_BYTES", split_bytes))
        # Else sets of partitions would have another order in each interpreter.
        stack.enter_context(patch.object(TopicPartition, "__hash__", lambda tp: crc32(repr(tp).encode())))
        for name in ("worker.monotonic", "repairs.monotonic", "ordered.perf_counter", "tasks.perf_counter"):
            stack.enter_context(patch(f"streams.shell.{name}", clock))
        # Time stands still here while there is something to do: a wait of milliseconds would last until
        # some passes, seconds or a minute, with records unread.
        stack.enter_context(patch("streams.shell.reader._MOST_DISTANCE_S", 0.0))
        for name in ("execute.now_us", "pure_tasks.now_us"):
            stack.enter_context(patch(f"streams.{name}", clock.us))
        stack.enter_context(patch("streams.shell.worker.exit_now", _exit_now))
        stack.enter_context(patch("streams.shell.worker.Watchdog", _Watchdog))
        stack.enter_context(patch("streams.shell.worker.partition_counts", _partition_counts))
        yield
