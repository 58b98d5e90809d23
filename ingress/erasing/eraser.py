"""Carries out requests to erase: in any ingress, again and again until nothing is left.

One of them works at a request: whose claim is the last, once all have had the time to see it. Each step can
be repeated, and looks at what there is, not at what was done: whoever takes over from a process that has died
begins at the first step, and is through those that are done at once.
"""

import asyncio
import contextlib
import logging
import sys
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta

from ingress.erasing.objects import delete_objects
from ingress.erasing.rows import are_inserted, delete_graphs, delete_rows
from ingress.errors import Problem
from ingress.history import MAX_LIMIT, History
from ingress.run_commands import run_command
from ingress.trigger_desks import schedule_command
from schemas.codec import Codec
from schemas.ids import entity_id
from schemas.models import Erasure, ErasureStatus, Workflow, utc_now
from schemas.search import RunFilter
from schemas.triggers.schedule import ScheduleConfig
from transport.clickhouse import ClickHouse
from transport.definitions import ERASURES, WORKFLOWS
from transport.errors import TransportError
from transport.feed import DefinitionsFeed
from transport.producer import Producer, Send
from transport.shelf import Opened
from transport.storage import Storage
from transport.store import DefinitionsStore
from transport.subscriptions import OAUTH_SYSTEM_CLIENTS, subscription_command

_log = logging.getLogger(__name__)

_KEPT = frozenset({ERASURES, OAUTH_SYSTEM_CLIENTS})
"""Definitions of the operator's, whichever tenant they are filed under."""
_QUIET_LOOKS = 3
_UNDER_WAY = RunFilter(status=("RUNNING", "PAUSED"))


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it waits, in seconds."""

    look_s: float = 2.0
    """Between two looks at the requests, and before a claim counts."""
    again_s: float = 10.0
    """Before a request that has not got on is tried again."""
    told_s: float = 15.0
    """After so long at most, others hear that it gets on."""
    dead_s: float = 60.0
    """A request of which nothing was heard for so long is taken over."""
    runs_s: float = 60.0
    """How long runs are given to stop."""
    settle_s: float = 20.0
    """How long nothing must come after all was deleted: sinks write what they have read within seconds."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What it works on."""

    feed: DefinitionsFeed
    store: DefinitionsStore
    producer: Producer
    codec: Codec
    clickhouse: ClickHouse
    history: History
    storage: Storage


class TakenOver(Exception):
    """Another process is at work on the request, for nothing was heard of this one, or has carried it out."""


class Eraser:
    """Works at one request at a time."""

    def __init__(self, reach: Reach, pace: Pace | None = None) -> None:
        self._reach = reach
        self._pace = pace or Pace()
        self._id = str(uuid.uuid4())

    async def run(self) -> None:
        """Until it is cancelled. A request that does not get on says why, and is tried again."""
        while True:
            for erasure in self._due():
                try:
                    # Another may have carried it out while the one before it was erased.
                    if erasure in self._due() and await self._is_own(erasure):
                        await self.erase(self._reach.feed.definitions.erasures[erasure.id])
                except TakenOver as taken:
                    _log.info("erasing tenant %s: %s", erasure.tenant_id, taken)
                except (TransportError, TimeoutError, Problem) as failed:
                    _log.warning("erasing tenant %s does not get on: %s", erasure.tenant_id, failed)
                    with contextlib.suppress(TransportError, TimeoutError):
                        await self._tell_failure(erasure.id, str(failed) or "it took too long")
                    await asyncio.sleep(self._pace.again_s)
                except Exception:
                    _log.exception("erasing tenant %s has failed", erasure.tenant_id)
                    await asyncio.sleep(self._pace.again_s)
            await asyncio.sleep(self._pace.look_s)

    def _due(self) -> list[Erasure]:
        silent = utc_now() - timedelta(seconds=self._pace.dead_s)
        return [
            one
            for one in self._reach.feed.definitions.erasures.values()
            if one.status is ErasureStatus.RUNNING
            and (one.worker in ("", self._id) or one.updated_at < silent)
        ]

    async def _is_own(self, erasure: Erasure) -> bool:
        if erasure.worker == self._id:
            return True
        update = {"worker": self._id, "updated_at": utc_now()}
        await self._reach.store.put(ERASURES, erasure.model_copy(update=update))
        await asyncio.sleep(self._pace.look_s)
        return self._reach.feed.definitions.erasures[erasure.id].worker == self._id

    async def erase(self, erasure: Erasure) -> None:
        """Returns once it is COMPLETED. Raises `TransportError`, and `TakenOver`."""
        course = _Course(self._reach, erasure, self._pace.told_s)
        tenant_id = erasure.tenant_id
        await course.enter("removing what is configured")
        # Without its workflow, a run could not be stopped.
        await self._remove_definitions(tenant_id, course, _KEPT | {WORKFLOWS})
        await course.enter("stopping runs")
        await self._stop_runs(tenant_id, course)
        await course.enter("deleting rows and objects", sealed=True)
        await self._delete(tenant_id, course)
        is_left = True
        while is_left:
            # Also if nothing was there: a sink may have been writing when it heard of the request.
            await asyncio.sleep(self._pace.settle_s)
            await course.alive()
            # What began before may bring rows that were read before; and another may follow it at once.
            is_late = await are_inserted(self._reach.clickhouse, self._pace.settle_s / 2)
            is_left = await self._delete(tenant_id, course) or is_late
        await course.complete()
        _log.info("tenant %s is erased: %s", tenant_id, dict(course.counts))

    async def _remove_definitions(
        self, tenant_id: str, course: "_Course", kept: frozenset[str] = _KEPT
    ) -> bool:
        """Whether there were any."""
        reach, definitions = self._reach, self._reach.feed.definitions
        told: list[Send] = [
            schedule_command(reach.codec, trigger, "REMOVE", trigger.model_dump(mode="json"))
            for head in definitions.triggers.heads
            if head.tenant_id == tenant_id and head.type == ScheduleConfig.type
            for trigger in (definitions.triggers[head.id],)
        ]
        told += [
            subscription_command(reach.codec, one, "REMOVE", {}, utc_now().timestamp())
            for one in definitions.subscriptions.of_tenant(tenant_id)
        ]
        # Before their definitions go: whoever repeats this after a crash finds them by these.
        await reach.producer.send_all(told)
        keys: defaultdict[str, list[str]] = defaultdict(list)
        for topic, key in reach.feed.keys_of(tenant_id):
            if topic not in kept:
                keys[topic].append(key)
        for topic, of_topic in keys.items():
            await reach.store.delete(topic, *of_topic)
            course.counts["definitions"] += len(of_topic)
        if keys:
            await course.tell()
        return bool(keys)

    async def _stop_runs(self, tenant_id: str, course: "_Course") -> None:
        """What does not stop in time is erased all the same: what is told of it later is left out."""
        until = utc_now() + timedelta(seconds=self._pace.runs_s)
        told: set[str] = set()
        quiet = 0
        while True:
            found = await self._under_way(tenant_id)
            quiet = 0 if found else quiet + 1
            course.counts["runs_stopped"] += len(found.keys() - told)
            await self._reach.producer.send_all([send for run, send in found.items() if run not in told])
            told |= found.keys()
            # What has begun a moment ago is not in the history yet.
            if quiet == _QUIET_LOOKS or utc_now() > until:
                return
            await course.alive()
            await asyncio.sleep(min(1.0, self._pace.runs_s))

    async def _under_way(self, tenant_id: str) -> dict[str, Send]:
        """The command that stops it, by the id of a run."""
        found: dict[str, Send] = {}
        cursor: str | None = None
        while True:
            page = await self._reach.history.runs(_UNDER_WAY, MAX_LIMIT, cursor, tenant_id=tenant_id)
            for row in page.rows:
                run = {name: row[name] or "" for name in ("app_id", "workflow_id", "version")}
                command = run_command(
                    self._reach.codec,
                    {**run, "workflow_run_id": row["id"], "tenant_id": tenant_id},
                    kind="CANCEL",
                    command_id=entity_id("command", row["id"], "cancel"),
                    payload={"reason": "the data of its tenant is being erased"},
                    workflows_offset=self._reach.feed.offset(WORKFLOWS),
                )
                found[row["id"]] = command
            cursor = page.next_cursor
            if cursor is None:
                return found

    async def _delete(self, tenant_id: str, course: "_Course") -> bool:
        """Whether there was anything."""
        reach = self._reach
        # Also what somebody was about to write when the first were removed.
        definitions = await self._remove_definitions(tenant_id, course)
        if rows := await delete_rows(reach.clickhouse, tenant_id, course.alive):
            course.counts.update(rows)
            await course.tell()
        await course.alive()
        objects = await delete_objects(reach.storage, tenant_id, course.alive)
        graphs = await delete_graphs(reach.clickhouse, self._graphs)
        course.counts.update({"objects": objects, "workflow_graphs": graphs})
        return bool(definitions or rows or objects)

    async def _graphs(self) -> set[str]:
        """Of all versions, one at a time: to open 100,000 takes seconds. What is new by then is opened in the
        end, all at once."""
        workflows = self._reach.feed.definitions.workflows
        hashes = Opened(_graph_hash, sys.maxsize)
        for versions in list(workflows.values()):
            for version in list(versions):
                if version in versions:
                    versions.read(version, hashes)
                await asyncio.sleep(0)
        return {versions.read(one, hashes) for versions in workflows.values() for one in versions}

    async def _tell_failure(self, erasure_id: str, why: str) -> None:
        erasure = self._reach.feed.definitions.erasures[erasure_id]
        update = {"error": why, "updated_at": utc_now()}
        await self._reach.store.put(ERASURES, erasure.model_copy(update=update))


def _graph_hash(body: bytes) -> str:
    return Workflow.model_validate_json(body).graph_hash


class _Course:
    """What others see of it."""

    def __init__(self, reach: Reach, erasure: Erasure, told_s: float) -> None:
        self.counts = Counter(erasure.counts)
        self._reach = reach
        self._erasure = erasure
        self._told_s = told_s

    async def enter(self, step: str, **changes: object) -> None:
        """The next step begins."""
        await self.tell(step=step, error=None, **changes)

    async def alive(self) -> None:
        """It gets on; told now and then. Raises `TakenOver`."""
        self._check()
        if utc_now() - self._erasure.updated_at > timedelta(seconds=self._told_s):
            await self.tell()

    async def complete(self) -> None:
        """All that was accepted until now is gone. Nothing was, since the tenant could do nothing."""
        now = utc_now()
        await self.tell(step="done", status=ErasureStatus.COMPLETED, before=now, finished_at=now)

    async def tell(self, **changes: object) -> None:
        """What has been counted, so that whoever goes on after a failure adds to it; and `changes`.
        Raises `TakenOver`."""
        self._check()
        update = {**changes, "counts": dict(+self.counts), "updated_at": utc_now()}
        self._erasure = self._erasure.model_copy(update=update)
        await self._reach.store.put(ERASURES, self._erasure)

    def _check(self) -> None:
        known = self._reach.feed.definitions.erasures[self._erasure.id]
        if known.worker != self._erasure.worker or known.status is ErasureStatus.COMPLETED:
            raise TakenOver("another process is at work on it, or has ended it")
