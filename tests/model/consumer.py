"""What the shell finds under it: aiokafka's consumer and Faust's app, modelled as far as it looks at them.

The methods of `ShellConsumer` and `ShellThread` that decide something are the real ones, on a stand-in for
their object.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka.errors import IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from streams.shell.offsets import TopicPartition
from streams.shell.repairs import ShellConsumer, ShellHooks, ShellThread
from tests.model.broker import Broker, Message
from transport.committed import Commit

if TYPE_CHECKING:
    from tests.model.group import Group
    from tests.model.process import Process


class Coordinator:
    """`AIOKafkaConsumer._coordinator`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def fetch_committed_offsets(self, partitions: Iterable[Any]) -> dict[Any, OffsetAndMetadata]:
        found = {tp: self._broker.committed.get(TopicPartition(*tp), Commit(-1)) for tp in partitions}
        return {tp: OffsetAndMetadata(*commit) for tp, commit in found.items()}


class KafkaConsumer:
    """`AIOKafkaConsumer`: positions of the partitions that are assigned. Fetches are not fenced."""

    def __init__(self, process: "Process", broker: Broker) -> None:
        self._process = process
        self._broker = broker
        self._coordinator = Coordinator(broker)
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._waiting: asyncio.Future[None] | None = None
        self.most = 500
        """Of one fetch."""
        self.skips = 0
        """So many of the next records vanish, as between Faust's fetcher and its recovery."""

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """A new assignment starts anew."""
        self._positions = dict.fromkeys(sorted(partitions), 0)
        self._paused = set()

    def wake(self) -> None:
        """There may be something to fetch."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def getmany(
        self, *partitions: Any, timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, list[Message]]:
        loop = self._process.loop
        fetched = self._fetch(partitions)
        if not fetched:
            self._waiting = loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_ms / 1000):
                    await self._waiting
            fetched = self._fetch(partitions)
        return fetched

    def _fetch(self, partitions: Iterable[Any]) -> dict[TopicPartition, list[Message]]:
        fetched, room = {}, self.most
        for tp in sorted(self._mine(partitions)):
            messages = [] if tp in self._paused else self._broker.read(tp, self._positions[tp], room)
            if messages:
                self._positions[tp] = messages[-1].offset + 1
                fetched[tp] = self._skip(tp, messages)
                room -= len(messages)
            elif tp not in self._paused and self._positions[tp] < self._broker.end(tp):
                self._positions[tp] = self._broker.end(tp)  # Compaction has removed the last ones.
            if room <= 0:
                break
        return fetched

    def _skip(self, tp: TopicPartition, messages: list[Message]) -> list[Message]:
        # What follows must show the gap: without that nobody could know of it.
        if not self.skips or len(messages) <= self.skips or tp.topic.startswith("changelog."):
            return messages
        skipped, self.skips = self.skips, 0
        return messages[skipped:]

    def seek(self, tp: Any, offset: int) -> None:
        self._positions[next(iter(self._mine([tp])))] = offset

    async def position(self, tp: Any) -> int:
        return self._positions[next(iter(self._mine([tp])))]

    async def beginning_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Sequence[Any]) -> dict[Any, int]:
        mine = zip(partitions, self._mine(partitions), strict=True)
        return {asked: self._broker.end(tp) for asked, tp in mine}

    def assignment(self) -> set[KafkaPartition]:
        return {KafkaPartition(*tp) for tp in self._positions}

    def paused(self) -> set[KafkaPartition]:
        return {KafkaPartition(*tp) for tp in self._paused}

    def pause(self, *partitions: Any) -> None:
        self._paused.update(self._mine(partitions))

    def resume(self, *partitions: Any) -> None:
        self._paused.difference_update(self._mine(partitions))

    def _mine(self, partitions: Iterable[Any]) -> list[TopicPartition]:
        mine = [TopicPartition(*tp) for tp in partitions]
        if any(tp not in self._positions for tp in mine):
            raise IllegalStateError("no current assignment for the partition")
        return mine


class Thread:
    """`ShellThread`: one process, one thread of the model."""

    call = ShellThread.call
    heard_at = 0.0

    def __init__(self, process: "Process", group: "Group", consumer: KafkaConsumer) -> None:
        self._process = process
        self._group = group
        self.consumer = consumer
        self.generation = -1

    @property
    def lost(self) -> bool:
        return self.generation < 0

    def _ensure_consumer(self) -> KafkaConsumer:
        return self.consumer

    async def call_thread(self, function: Any, *args: Any) -> Any:
        return await function(*args)

    async def commit(self, offsets: Mapping[Any, Commit]) -> bool:
        """False where the group has gone on without us; so does Faust's."""
        await self._process.commits_pass()
        return self._group.commit(self._process, self.generation, offsets)


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

    def __init__(self, process: "Process", group: "Group", broker: Broker, hooks: ShellHooks) -> None:
        self.hooks = hooks
        self.rebalancing = False
        self.crashed = False
        self.consumer = Consumer(self, Thread(process, group, KafkaConsumer(process, broker)))
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
