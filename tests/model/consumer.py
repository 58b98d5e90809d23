"""What the shell finds under it: its source of records and Faust's app, modelled as far as it looks at them.

The methods of `ShellConsumer` that decide something are the real ones, on a stand-in for their object.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from streams.shell.offsets import TopicPartition
from streams.shell.repairs import ShellConsumer, ShellHooks
from streams.shell.stage import Record
from tests.model.broker import Broker
from transport.committed import Commit

if TYPE_CHECKING:
    from tests.model.group import Group
    from tests.model.process import Process


class Source:
    """`KafkaSource`, without broker and threads. Fetches are not fenced."""

    def __init__(self, process: "Process", broker: Broker) -> None:
        self._process = process
        self._broker = broker
        self._positions: dict[TopicPartition, int] = {}
        self._waiting: asyncio.Future[None] | None = None
        self.most = 500
        """Of one fetch."""
        self.skips = 0
        """So many of the next records vanish, as between Faust's fetcher and its recovery."""

    def wake(self) -> None:
        """There may be something to fetch."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def fetch(
        self, partitions: Collection[TopicPartition], timeout_s: float
    ) -> dict[TopicPartition, list[Record]]:
        loop = self._process.loop
        fetched = self._fetch(partitions)
        if not fetched:
            self._waiting = loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._waiting
            fetched = self._fetch(partitions)
        return fetched

    def _fetch(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        fetched, room = {}, self.most
        for tp in sorted(partitions):
            if records := self._broker.read(tp, self._positions[tp], room):
                self._positions[tp] = records[-1].offset + 1
                fetched[tp] = self._skip(tp, records)
                room -= len(records)
            elif self._positions[tp] < self._broker.end(tp):
                self._positions[tp] = self._broker.end(tp)  # Compaction has removed the last ones.
            if room <= 0:
                break
        return fetched

    def _skip(self, tp: TopicPartition, records: list[Record]) -> list[Record]:
        # What follows must show the gap: without that nobody could know of it.
        if not self.skips or len(records) <= self.skips or tp.topic.startswith("changelog."):
            return records
        skipped, self.skips = self.skips, 0
        return records[skipped:]

    async def committed(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Commit]:
        known = self._broker.committed
        return {tp: known[tp] for tp in partitions if tp in known}

    async def bounds(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
        return {tp: (0, self._broker.end(tp)) for tp in partitions}

    async def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        self._positions = dict(positions)

    async def look(self) -> None:
        """Nothing ails the group."""

    def position(self, tp: TopicPartition) -> int:
        return self._positions[tp]

    async def close(self) -> None:
        self._positions = {}


class Thread:
    """`ShellThread`: one process, one thread of the model."""

    heard_at = 0.0

    def __init__(self, process: "Process", group: "Group") -> None:
        self._process = process
        self._group = group
        self.generation = -1

    @property
    def lost(self) -> bool:
        return self.generation < 0

    async def commit(self, offsets: Mapping[Any, Commit]) -> bool:
        """False where the group has gone on without us, also while it was held up."""
        generation = self.generation
        await self._process.commits_pass()
        return self._group.commit(self._process, generation, offsets)


class Consumer:
    """`ShellConsumer`, without the thread and the transport that it inherits."""

    commit = ShellConsumer.commit
    on_partitions_revoked = ShellConsumer.on_partitions_revoked
    on_partitions_assigned = ShellConsumer.on_partitions_assigned
    _hooks = ShellConsumer._hooks

    def __init__(self, app: "App", thread: Thread) -> None:
        self.app = app
        self._thread = thread


class App:
    """`ShellApp`: joins the group, reads, and lets go of everything when it stops."""

    def __init__(self, process: "Process", group: "Group", hooks: ShellHooks) -> None:
        self.hooks = hooks
        self.rebalancing = False
        self.crashed = False
        self.consumer = Consumer(self, Thread(process, group))
        self._process = process
        self._group = group
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._reading = asyncio.get_running_loop().create_task(self.hooks.read())
        self._group.join(self._process)

    async def stop(self) -> None:
        await self.hooks.release()
        self._group.leave(self._process)
        if self._reading is not None:
            self._reading.cancel()
