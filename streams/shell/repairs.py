"""Faust and aiokafka as the shell uses them, and every place where it reaches into them.

What stays Faust's: the app and its services, the consumer in a thread of its own, membership of the
group, the co-partitioning assignor that keeps a changelog with its source. What is replaced, because it
loses events (docs/adr/0003):

- delivery and recovery (`Consumer._drain_messages`, `TableManager`): one sequential `Reader`, for which
  librdkafka fetches (`source.KafkaSource`) and aiokafka no more;
- commit (`Consumer.commit`): no offset beyond the smallest unfinished one, with metadata of what is done, and
  none of an assignment that is over;
- rebalance and shutdown (`on_partitions_revoked`, `App._stop_consumer`): end the work under way, commit,
  never acknowledge what was not done.

The versions of faust-streaming and aiokafka are pinned exactly; look at this file before raising them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

import faust
from aiokafka.errors import BrokerResponseError, CommitFailedError, IllegalGenerationError, kafka_errors
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition
from faust.tables.manager import TableManager
from faust.transport.drivers import aiokafka as driver

from streams.shell.offsets import TopicPartition
from streams.shell.settings import ShellSettings
from transport.committed import Commit

log = logging.getLogger(__name__)

_CLOSE_S = 3.0
"""How long leaving the group may take; without it the session expires instead."""

_THREAD_CALLS = 4
"""Calls into the consumer's thread at a time. One that asks the group may take as long as a rebalance, and
the commit that the rebalance waits for needs another one."""

_FOR_EVER_S = 1e6
"""Faust passes it on in milliseconds, as an int32."""


class WorkerIdTaken(BrokerResponseError):  # type: ignore[misc]
    """The group has another member under our id. aiokafka, which does not know the code, has `UnknownError`
    for it, and shows by `repr` what it raises."""

    errno = 82
    message = "FENCED_INSTANCE_ID"

    def __str__(self) -> str:
        return f"{self.message}: another worker has the same HOPLINE_WORKER_ID; give each its own"

    __repr__ = __str__


kafka_errors[WorkerIdTaken.errno] = WorkerIdTaken


class ShellHooks(Protocol):
    """What Faust's services tell the worker."""

    async def on_assigned(self, partitions: frozenset[TopicPartition], generation: int) -> None:
        """A rebalance has ended. Must return soon: the consumer group waits."""

    async def on_revoked(self, lost: bool) -> None:
        """A rebalance begins; until this returns the partitions are still ours, unless they are `lost`."""

    def hung(self) -> bool:
        """Whether this worker is to be taken for dead. Called in the consumer's thread."""

    async def read(self) -> None:
        """Delivers records until cancelled."""

    async def release(self) -> None:
        """The worker stops: ends the work under way and commits it."""

    def to_commit(self) -> Mapping[TopicPartition, Commit]:
        """What is safe to commit and not committed."""

    def committed(self, commits: Mapping[TopicPartition, Commit]) -> None:
        """The broker has these."""


class ShellThread(driver.AIOKafkaConsumerThread):
    """The thread that aiokafka lives in."""

    heard_at: float = 0.0
    """`monotonic()` of the last answer by which the group coordinator knew us as a member."""

    @property
    def method_queue(self) -> Any:
        if self._method_queue is None:
            super().method_queue.num_workers = _THREAD_CALLS
        return self._method_queue

    async def on_start(self) -> None:
        await super().on_start()
        consumer = self._ensure_consumer()
        consumer._fetcher._get_actions_per_node = _no_fetches
        coordinator: Any = consumer._coordinator
        app: Any = self.consumer.app
        beat, hooks = coordinator._do_heartbeat, app.hooks

        async def heartbeat() -> bool:
            if hooks.hung():
                return False
            sent_at = monotonic()
            known: bool = await beat()
            if known:
                # The session runs from when the broker got it, so at the earliest from here.
                self.heard_at = sent_at
            return known

        coordinator._do_heartbeat = heartbeat
        commit = coordinator._do_commit_offsets

        async def commit_ours(assignment: Any, offsets: Any) -> None:
            # aiokafka tries again for as long as it takes, under whatever generation it is in by then. The
            # next owner may have committed more, and has nothing to commit where nothing comes any more.
            if not assignment.active:
                raise IllegalGenerationError
            await commit(assignment, offsets)

        coordinator._do_commit_offsets = commit_ours

    async def on_thread_stop(self) -> None:
        self._leave_for_good()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await super().on_thread_stop()
        except (TimeoutError, asyncio.CancelledError):
            # While its broker is away, aiokafka lets out the cancellation of its own tasks; it would
            # end this thread before `stop` hears of it, which then waits for ever.
            log.warning("the consumer was closed without its broker")
            with suppress(Exception):
                await self._ensure_consumer()._client.close()

    def _leave_for_good(self) -> None:
        """A static member does not say that it leaves: it is expected back, and its partitions wait for it as
        long as its session. Right for one that has crashed; who is told to stop may never come again."""
        if self._consumer is not None:
            self._consumer._coordinator._group_instance_id = None

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Faust prints here; whoever called `start` gets the exception."""

    def _start_thread(self) -> None:
        try:
            super()._start_thread()
        except Exception as error:
            # Handed to `start`, or to the app as a crash; Python would print it a third time.
            log.debug("the consumer's thread ended: %r", error)

    @property
    def lost(self) -> bool:
        """Whether the group went on without us: then others may already own what we had."""
        return bool(self._ensure_consumer()._coordinator.generation < 0)

    async def _commit(self, offsets: Mapping[Any, Any]) -> bool:
        """Of `Commit`s, where Faust knows no metadata. False when the group has moved on; any other failure
        crashes the app."""
        ours = self.assignment()
        commits = {tp: OffsetAndMetadata(*commit) for tp, commit in offsets.items() if tp in ours}
        try:
            await self._ensure_consumer().commit(commits)
        except CommitFailedError:
            return False
        except Exception as error:
            await self.crash(error)
            return False
        return True

    async def call(self, function: Callable[[Any], Awaitable[Any]]) -> Any:
        """Runs `function(consumer)` in this thread."""
        return await self.call_thread(function, self._ensure_consumer())


def _no_fetches(assignment: Any) -> Any:
    """In place of `Fetcher._get_actions_per_node`: no request, no reset, and nothing to wait for."""
    return [], {}, None, False, []


class ShellConsumer(driver.Consumer):
    """Faust's consumer: told to the worker instead of to streams, and committing what the worker says."""

    app: Any
    _thread: Any

    def _new_consumer_thread(self) -> ShellThread:
        loop = type(asyncio.get_running_loop())()  # uvloop in the main thread means uvloop here
        thread = ShellThread(self, loop=self.loop, thread_loop=loop, beacon=self.beacon)
        thread._close_thread_loop_on_stop = True
        return thread

    @property
    def _hooks(self) -> ShellHooks:
        hooks: ShellHooks = self.app.hooks
        return hooks

    async def _drain_messages(self, fetcher: Any) -> None:
        await self._hooks.read()

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._hooks.on_revoked(self._thread.lost)

    async def on_partitions_assigned(self, assigned: Iterable[Any], generation_id: int = 0) -> None:
        # The join itself proves that the coordinator knows us; the first heartbeat comes later.
        self._thread.heard_at = monotonic()
        partitions = frozenset(TopicPartition(tp.topic, tp.partition) for tp in assigned)
        await self._hooks.on_assigned(partitions, generation_id)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commits what is safe. False when there was nothing or the group has moved on."""
        commits = dict(self._hooks.to_commit())
        if not commits:
            return False
        done: bool = await self._thread.commit({KafkaPartition(*tp): at for tp, at in commits.items()})
        if done:
            self._hooks.committed(commits)
        return done

    force_commit = commit

    async def wait_empty(self) -> None:
        """Faust waits here for messages that it tracks; ours are waited for in `ShellHooks.release`."""
        await self.commit()

    async def verify_all_partitions_active(self) -> None:
        """Faust's livelock detector looks at streams that do not exist here."""


class ShellTransport(driver.Transport):
    """Makes the app use `ShellConsumer`."""

    Consumer = ShellConsumer


class ShellTable(faust.Table[bytes, bytes]):
    """Tells Faust's assignor that a changelog belongs to its source topic. Rows are the shell's own."""

    async def on_start(self) -> None:
        """Faust would open its store and create the topic."""


class ShellTables(TableManager):
    """Subscribes to the changelogs and starts the reading; recovery is the `Reader`'s."""

    app: Any

    async def on_start(self) -> None:
        await self._update_channels()
        await self.app._fetcher.maybe_start()

    async def on_stop(self) -> None:
        await self.app._fetcher.stop()

    async def wait_until_recovery_completed(self) -> bool:
        """Faust's start would wait here; a worker that is told to stop meanwhile could not."""
        return False


class ShellApp(faust.App):
    """A Faust app without streams, web server, producer and sensors."""

    hooks: ShellHooks

    def on_rebalance_start(self) -> None:
        """On the consumer's thread, so it only sets a flag, as Faust does."""
        self.rebalancing = True

    async def _stop_consumer(self) -> None:
        await self.hooks.release()


def new_app(settings: ShellSettings, sources: Iterable[str], tables: Iterable[str], hooks: ShellHooks) -> Any:
    """An app that reads these source topics and owns these changelog topics, by the broker's names.

    Must be called inside the running loop; the topics must exist, with equal numbers of partitions.
    """
    kafka = settings.kafka
    folder = settings.data_dir / settings.worker_id
    folder.mkdir(parents=True, exist_ok=True)
    app = ShellApp(
        kafka.full_name(settings.group),
        broker=";".join(f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")),
        datadir=str(folder),
        store="memory://",
        TableManager=ShellTables,
        canonical_url=f"http://{settings.worker_id}",
        consumer_group_instance_id=settings.worker_id,
        # Of fetches that aiokafka does not see; the watchdog knows who hangs.
        broker_max_poll_interval=_FOR_EVER_S,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        broker_rebalance_timeout=settings.rebalance_timeout_s,
        broker_commit_interval=settings.commit_s,
        consumer_auto_offset_reset="earliest",
        topic_partitions=kafka.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
    )
    app.hooks = hooks
    app.boot_strategy.enable_kafka_producer = False
    app.boot_strategy.enable_sensors = False
    app.finalize()
    app.transport = ShellTransport(app.conf.broker_consumer, app)
    for topic in sources:
        app.topics.add(app.topic(topic, key_type=bytes, value_type=bytes))
    for name in tables:
        changelog = app.topic(name, key_type=bytes, value_type=bytes, acks=False)
        app.tables.add(ShellTable(app, name=name, changelog_topic=changelog))
    return app
