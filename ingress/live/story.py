"""Puts the records of one run into the order in which they are told, each once. Pure.

Runs and node executions come from two topics, so that a run may be seen to begin after its first node, and to
end before its last. Nodes wait for the beginning, and the end waits for all nodes. After a crash records come
again, under the same ids and revisions.
"""

from collections import Counter
from typing import NamedTuple

import orjson

from ingress.live import changes
from ingress.live.changes import ENDED, PAUSED, RETRIED, RUNS, STARTED, Change, Event, Mark
from ingress.live.told import Told
from schemas.codec import Record

_PHASES = {"running": STARTED, "paused": PAUSED, "retry": RETRIED}
"""Of a node, by its status. All others are its end."""
_NAMES = {PAUSED: changes.NODE_PAUSED, RETRIED: changes.NODE_RETRY, ENDED: changes.NODE_FINISHED}
_FAILURES = frozenset({"retry", "failed", "exception"})
_UNDER_WAY = frozenset({"RUNNING", "PAUSED"})
_START = Mark(0, STARTED)


class _Seen(NamedTuple):
    """The latest record of one attempt at a node."""

    attempt: int
    phase: int
    failed: bool


class _Nodes:
    """The attempts at nodes that have been seen, counted as the record of a run counts them: a run may have
    thousands, each of which may be the last."""

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self.phases: Counter[int] = Counter()
        self.failures = 0
        self._seen: dict[str, _Seen] = {}

    def __getitem__(self, execution_id: str) -> _Seen:
        return self._seen[execution_id]

    def get(self, execution_id: str) -> _Seen | None:
        """The latest of an attempt."""
        return self._seen.get(execution_id)

    def see(self, execution_id: str, step: int, now: _Seen) -> None:
        """A later record of an attempt, or the first."""
        if (before := self._seen.get(execution_id)) is not None:
            self.phases[before.phase] -= 1
            self.failures -= before.failed
        self._seen[execution_id] = now
        self.steps.add(step)
        self.phases[now.phase] += 1
        self.failures += now.failed


class Story:
    """Takes the records of one run, in the order of each topic, and gives what is to be told of them."""

    def __init__(
        self, told: Told | None = None, *, is_whole: bool = True, has_all_revisions: bool = False
    ) -> None:
        """`told`: what the reader knows already; it is kept up to date. `is_whole`: whether everything that
        has happened to the run is taken, told or not. Else its end never waits for nodes, of which some may
        have come before; `release` says when. `has_all_revisions`: whether each record comes that there was,
        and not only the latest, as from the history. Then only the first says that something has begun."""
        self.told = told or Told()
        self._is_whole = is_whole
        self._has_all_revisions = has_all_revisions
        self._revision = 0
        self._begun = self.told.mark() != (0, 0) or not is_whole
        self._early: list[Change] = []
        self._closing: Change | None = None
        self._nodes = _Nodes()
        self._retries: dict[int, int] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether something is held back."""
        return bool(self._early) or self._closing is not None

    @property
    def ended_at_us(self) -> int | None:
        """When a run ended whose end is held back."""
        found: int | None = self._closing.record["finished_at"] if self._closing is not None else None
        return found

    def holds(self, change: Change) -> bool:
        """Whether there is something of it to be told later."""
        return change is self._closing or any(change is early for early in self._early)

    def take(self, change: Change) -> list[Event]:
        """What is to be told now."""
        if change.topic == RUNS:
            return self._take_run(change)
        return self._take_node(change)

    def release(self) -> list[Event]:
        """What was held back: what it waits for has not come in time."""
        self._begun = True
        return self._tell_early() + self._close()

    def _take_run(self, change: Change) -> list[Event]:
        record = change.record
        revision, status = record["revision"], record["status"]
        if revision <= self._revision:
            return []
        self._revision, self._begun = revision, True
        # A later state: whatever the one before waits for, it waits no more. The history has lost pauses that
        # are over, and does not tell of the last one either.
        events = self._close() if self._has_all_revisions else []
        self._closing = None
        goes_on = status == "RUNNING"
        starts = self.told.mark() < _START and self._may_begin(record)
        if starts:
            events.append(self._event(changes.WORKFLOW_STARTED, change, 0, _START, goes_on))
        events += self._tell_early()
        if _run_mark(record) <= self.told.mark() or (goes_on and (starts or revision == 1)):
            return events
        if goes_on:
            events.append(self._event(changes.WORKFLOW_RESUMED, change, 0, _run_mark(record), True))
            return events
        self._closing = change
        return events + self._close_when_whole()

    def _take_node(self, change: Change) -> list[Event]:
        record = change.record
        seen = self._nodes.get(record["id"])
        phase = _PHASES.get(record["status"], ENDED)
        if seen is not None and phase <= seen.phase:
            return []
        index = record["index"]
        attempt = self._attempt(index, record, seen)
        self._nodes.see(record["id"], index, _Seen(attempt, phase, record["status"] in _FAILURES))
        if not self._begun:
            self._early.append(change)
            return []
        return self._tell_node(change) + self._close_when_whole()

    def _attempt(self, index: int, record: Record, seen: _Seen | None) -> int:
        """Counted from 1. A failure that is tried again says so; any other record is of the attempt after."""
        attempt = seen.attempt if seen is not None else self._retries.get(index, 0) + 1
        if record["status"] == "retry":
            metadata = orjson.loads(record["execution_metadata"] or b"{}")
            attempt = int(metadata.get("retry_index") or attempt)
            self._retries[index] = max(attempt, self._retries.get(index, 0))
        return attempt

    def _may_begin(self, record: Record) -> bool:
        """Whether the beginning is told with it, where it has not been told."""
        return not self._has_all_revisions or record["revision"] == 1

    def _tell_node(self, change: Change) -> list[Event]:
        record = change.record
        index, attempt = record["index"], self._nodes[record["id"]].attempt
        phase = _PHASES.get(record["status"], ENDED)
        told, mark = self.told.mark(index), Mark(attempt, phase)
        events = []
        if told < (attempt, STARTED) and self._may_begin(record):
            is_last = phase == STARTED
            events.append(self._event(changes.NODE_STARTED, change, index, Mark(attempt, STARTED), is_last))
        if phase > STARTED and told < mark:
            events.append(self._event(_NAMES[phase], change, index, mark, True))
        return events

    def _tell_early(self) -> list[Event]:
        early, self._early = self._early, []
        return [event for change in early for event in self._tell_node(change)]

    def _close_when_whole(self) -> list[Event]:
        return self._close() if self._closing is not None and self._is_complete(self._closing) else []

    def _close(self) -> list[Event]:
        closing, self._closing = self._closing, None
        if closing is None:
            return []
        paused = closing.record["status"] == "PAUSED"
        name = changes.WORKFLOW_PAUSED if paused else changes.WORKFLOW_FINISHED
        return [self._event(name, closing, 0, _run_mark(closing.record), True)]

    def _is_complete(self, closing: Change) -> bool:
        """Whether all nodes have come that the record of the run counts."""
        record, nodes = closing.record, self._nodes
        if not self._is_whole or len(nodes.steps) != record["total_steps"]:
            return False
        if record["status"] == "PAUSED":
            return nodes.phases[PAUSED] > 0
        return (
            nodes.failures == record["exceptions_count"] and not nodes.phases[STARTED] + nodes.phases[PAUSED]
        )

    def _event(self, name: str, change: Change, index: int, mark: Mark, is_last: bool) -> Event:
        self.told.set(index, mark)
        return Event(name, change, index, mark, is_last)


def _run_mark(record: Record) -> Mark:
    """By the revision first, so that each state of a run comes after the one before."""
    status = record["status"]
    phase = ENDED if status not in _UNDER_WAY else PAUSED if status == "PAUSED" else STARTED
    return Mark(record["revision"], phase)
