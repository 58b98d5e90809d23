"""Which worker watches what: the one that has the partition of the trigger's id. Starts, ends and repeats."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError

from schemas.codec import Codec
from schemas.ids import now_us
from schemas.models import AppTrigger
from schemas.secrets import SecretBox, SecretUnreadable
from schemas.triggers.kinds import KINDS
from schemas.triggers.secrets import opened_config
from streams.metrics import SourceMetrics
from streams.shell.rows import BREAK
from streams.shell.stage import Held
from streams.sources.commands import command
from streams.sources.events import SourceEvent, event_send
from streams.sources.rows import SourceRow, source_of, triggers_offset
from streams.sources.settings import SourceSettings
from streams.sources.states import States
from streams.sources.watching import SourceKind, Unavailable, Watch
from transport.definitions import TRIGGERS
from transport.errors import BrokerUnreachable, SendFailed
from transport.feed import DefinitionsFeed
from transport.partitions import partition_of
from transport.producer import Producer, Send
from transport.store import DefinitionsStore

log = logging.getLogger(__name__)

_SETTLE_S = 0.2
"""Changes of triggers come in bursts: they are looked at together."""

_LOOK_S = 30.0
"""The longest time between two looks at the triggers."""


@dataclass(slots=True)
class _Running:
    """A watcher that has been started."""

    trigger: AppTrigger
    slot: int
    news: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None


class Watchers:
    """The `Companion` of the stage of sources."""

    def __init__(
        self,
        feed: DefinitionsFeed,
        codec: Codec,
        producer: Producer,
        store: DefinitionsStore,
        kinds: Sequence[SourceKind],
        *,
        secrets: SecretBox | None,
        partitions: Callable[[], Awaitable[int]],
        settings: SourceSettings,
        metrics: SourceMetrics,
    ) -> None:
        """`partitions`: how many `source.commands` has. Raises `BrokerUnreachable`."""
        self._feed = feed
        self._codec = codec
        self._producer = producer
        self._states = States(feed.definitions, store)
        self._kinds: Mapping[str, SourceKind] = {kind.type: kind for kind in kinds}
        self._secrets = secrets
        self._partitions = partitions
        self._count = 0
        self._settings = settings
        self._metrics = metrics
        self._held: Held | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._running: dict[tuple[str, int], _Running] = {}
        self._positions: dict[str, SourceRow] = {}
        """Newer than what is in the table, whose command may be under way."""

    def begin(self, held: Held) -> None:
        """See `Companion`."""
        self._held = held
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._states.tell())]

    async def end(self) -> None:
        """See `Companion`."""
        self._held = None
        watching = [one.task for one in self._running.values() if one.task is not None]
        tasks = [*watching, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()
        self._positions.clear()
        self._tasks.clear()

    def look(self, source_id: str) -> None:
        """There is news for a source that is watched here, if it is."""
        for (watched, _), running in self._running.items():
            if watched == source_id:
                running.news.set()

    async def _follow(self) -> None:
        """Keeps to the triggers as they change."""
        while self._held is not None:
            try:
                self._count = self._count or await self._partitions()
                await self._compare(self._held)
            except (SendFailed, BrokerUnreachable, TimeoutError) as failed:
                log.warning("sources are compared with their triggers later: %s", failed)
            except Exception:  # or nothing would be watched any more, and nobody would know
                log.exception("sources cannot be compared with their triggers")
            try:
                await self._feed.news(TRIGGERS, _LOOK_S)
            except TimeoutError:
                continue
            await asyncio.sleep(_SETTLE_S)

    async def _compare(self, held: Held) -> None:
        """What is watched with what is to be; forgets the rows of triggers that there are no more."""
        wanted = dict(self._wanted(held))
        changed = [at for at, one in self._running.items() if wanted.get(at) != one.trigger]
        gone = [task for at in changed if (task := self._running.pop(at).task) is not None]
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        for at, trigger in wanted.items():
            if at not in self._running:
                running = self._running[at] = _Running(trigger, at[1])
                running.task = asyncio.create_task(self._watch(running))
        self._metrics.watched(len(self._running))
        await self._forget(held)

    def _wanted(self, held: Held) -> Iterator[tuple[tuple[str, int], AppTrigger]]:
        triggers = self._feed.definitions.triggers
        for head in triggers.heads:
            kind = self._kinds.get(head.type)
            if kind is None or not head.is_deployed:
                continue
            trigger = triggers[head.id]
            for slot in range(kind.slots(trigger.settings)):
                key = f"{trigger.id}{BREAK}{slot}" if slot else trigger.id
                if self._home(key) in held.partitions:
                    yield (trigger.id, slot), trigger

    async def _forget(self, held: Held) -> None:
        alive, read = self._feed.definitions.triggers, self._feed.offset(TRIGGERS)
        gone: set[str] = set()
        for partition in held.partitions:
            for key, value in held.items(partition):
                source_id = source_of(key)
                written = triggers_offset(value) if source_id not in alive else None
                # The triggers that we have read may be older than the row.
                if written is not None and written <= read:
                    gone.add(source_id)
        await self._producer.send_all([command(self._codec, "", one, "REMOVE", {}) for one in sorted(gone)])
        await self._states.forget(lambda key: self._home(key) in held.partitions)

    # One watcher --------------------------------------------------------------------------------------

    async def _watch(self, running: _Running) -> None:
        """Until cancelled: again and again, after pauses that grow while it fails."""
        trigger, kind = running.trigger, self._kinds[running.trigger.type]
        failures, last = 0, ""

        def works() -> None:
            nonlocal failures, last
            if last:
                log.info("%s trigger %s: watching again", trigger.type, trigger.id)
            failures, last = 0, ""
            self._states.note(running.trigger, running.slot, "")

        while True:
            try:
                await kind.watch(self._given(running, kind, works))
                why = "the watcher has ended"
            except (Unavailable, SendFailed, SecretUnreadable, ValidationError) as unavailable:
                why = str(unavailable)
                if why != last:
                    log.warning("%s trigger %s: %s", trigger.type, trigger.id, why)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                log.exception("%s trigger %s", trigger.type, trigger.id)
            failures, last = failures + 1, why
            self._metrics.failed(trigger.type)
            self._states.note(trigger, running.slot, why)
            await asyncio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        """With jitter, so that not all come back at once."""
        most: float = min(self._settings.retry_max_s, self._settings.retry_min_s * 2 ** min(failures - 1, 20))
        return most * random.uniform(0.5, 1)  # noqa: S311

    def _given(self, running: _Running, kind: SourceKind, works: Callable[[], None]) -> Watch:
        """Raises `Unavailable`, `SecretUnreadable`, `ValidationError`."""
        trigger = running.trigger
        settings = self._opened(trigger)
        subject = kind.subject(settings)
        row = self._row(trigger.id)
        known = row is not None and row.subject == subject
        # Another mailbox than before: what it has got before that was not asked for.
        since = trigger.created_at if row is None or known else trigger.updated_at
        return Watch(
            trigger=trigger,
            slot=running.slot,
            settings=settings,
            position=row.position if row is not None and known else None,
            since_s=since.timestamp(),
            publish=partial(self._publish, trigger),
            keep=partial(self._keep, trigger, subject),
            send=self._send,
            works=works,
            news=partial(_news, running.news),
        )

    def _opened(self, trigger: AppTrigger) -> Any:
        kind = KINDS[trigger.type]
        config = opened_config(trigger.config, kind.sealed, self._secrets, trigger.tenant_id)
        return kind.model_validate(config)

    def _home(self, key: str) -> int:
        """The partition of `source.commands` in which it lives."""
        return partition_of(key.encode(), self._count)

    def _row(self, source_id: str) -> SourceRow | None:
        if source_id in self._positions:
            return self._positions[source_id]
        home = self._home(source_id)
        # Another slot than the first may be watched without its row.
        if self._held is None or home not in self._held.partitions:
            return None
        stored = self._held.get(home, source_id)
        return None if stored is None else SourceRow.decode(stored)

    async def _publish(self, trigger: AppTrigger, events: Sequence[SourceEvent]) -> None:
        received_us = now_us()
        await self._send([event_send(trigger, e, received_us, self._feed, self._codec) for e in events])
        self._metrics.seen(trigger.type, len(events))

    async def _keep(self, trigger: AppTrigger, subject: str, position: Mapping[str, Any]) -> None:
        row = SourceRow(subject, position, self._feed.offset(TRIGGERS))
        payload = {"subject": subject, "position": position, "triggers_offset": row.triggers_offset}
        await self._send([command(self._codec, trigger.tenant_id, trigger.id, "POSITION", payload)])
        self._positions[trigger.id] = row

    async def _send(self, sends: Sequence[Send]) -> None:
        await self._producer.send_all(sends)


async def _news(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
    finally:
        event.clear()
