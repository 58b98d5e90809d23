"""What a schedule does: pure functions from a row and a time to the row after and what is fired.

Each time has one identity, whoever fires it and however often: a row that is decided again after a crash
fires the same times again, which deduplication folds into one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, takewhile
from typing import NamedTuple

from schemas.ids import dedup_key, schedule_id, workflow_run_id
from schemas.models import AppTrigger
from schemas.triggers.schedule import ScheduleConfig, jitter_us
from streams.schedule_rows import Backfill, ScheduleRow

ON_TIME_US = 60_000_000
"""Later than this, a time has been missed. A worker that takes over from a dead one is within it."""

MOST_AT_ONCE = 100
"""Times that are fired before other rows have their turn."""

_DISABLED = "the schedule was disabled while the run before it was going"


class Firing(NamedTuple):
    """One time of one schedule."""

    at_us: int
    """As scheduled: without jitter, however late it is."""
    received_us: int
    """The same, but for a backfill when that was asked for."""
    refusal: str | None = None
    """Why nothing is started; the trigger log says so."""
    backfill_id: str = ""
    """Each backfill fires its times anew."""
    missed: bool = False
    """Nothing is started since its time has passed, as its policy wants it."""

    @property
    def outcome(self) -> str:
        """For the metrics: fired, missed or overlapped."""
        if self.refusal is None:
            return "fired"
        return "missed" if self.missed else "overlapped"


@dataclass(slots=True)
class Fired:
    """What follows from looking at a row."""

    row: ScheduleRow
    firings: list[Firing] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    """Runs that must end."""


def install(before: ScheduleRow | None, trigger: AppTrigger, now_us: int) -> ScheduleRow:
    """A schedule that is new, or has changed: what it was going to do next stays, unless its times change.

    One that was paused goes on with the next time from now: what passed meanwhile was not to be fired.
    """
    row = ScheduleRow(trigger, None)
    if before is not None:
        row.running, row.held_us, row.backfills = before.running, before.held_us, before.backfills
        row.over = before.over
        if before.due_us() != float("inf") and before.config.timing == row.config.timing:
            row.next_us = before.next_us
            return row
    row.next_us = row.config.next_after(now_us)
    return row


def fire(row: ScheduleRow, now_us: int) -> Fired:
    """What is due. Leaves a row that is due at once when there is more than fits."""
    fired = Fired(replace(row, running=list(row.running), backfills=list(row.backfills), over=list(row.over)))
    if fired.row.backfills:
        _fire_backfill(fired)
    due = list(_due(row, now_us))
    if due:
        fired.row.next_us = row.config.next_after(due[:MOST_AT_ONCE][-1])
        for at_us, missed in _caught_up(row, due, now_us):
            _fire_one(fired, Firing(at_us, at_us, missed, missed=missed is not None))
    if due and len(due) <= MOST_AT_ONCE:
        fired.row.over.clear()  # They were of times that were due when they ended.
    return fired


def ended(row: ScheduleRow, run_id: str, again: str | None = None) -> Fired:
    """A run of the schedule has ended: what waited for that fires, unless the run `again` goes on in
    its place, and is not over as well.

    One that is not known may be that of a time which is still to be fired here: its worker died before it
    could say that it had. Nobody will say again that it has ended. See docs/adr/0023.
    """
    if run_id not in row.running:
        early = row.config.overlap != "allow" and run_id not in row.over
        return Fired(replace(row, over=[*row.over, run_id][-MOST_AT_ONCE:]) if early else row)
    running = [one for one in row.running if one != run_id]
    if again is not None and again not in row.over:
        running.append(again)
    fired = Fired(replace(row, running=running))
    if not fired.row.running and row.held_us is not None:
        fired.row.held_us = None
        _fire_one(fired, Firing(row.held_us, row.held_us, None if row.config.enabled else _DISABLED))
    return fired


def run_of(trigger: AppTrigger, firing: Firing) -> str:
    """The run that the firing starts."""
    return workflow_run_id(key_of(trigger, firing), firing.received_us, trigger.workflow_id)


def key_of(trigger: AppTrigger, firing: Firing) -> str:
    """dedup_key of its event."""
    return dedup_key(ScheduleConfig.type, trigger.id, identity_of(trigger, firing))


def identity_of(trigger: AppTrigger, firing: Firing) -> str:
    """trigger_id of its event."""
    return schedule_id(trigger.id, firing.at_us // 1000, firing.backfill_id)


def _due(row: ScheduleRow, now_us: int) -> Iterator[int]:
    """Those that are fired at once, and the one after them: they depend on whether it was missed as well."""
    if row.next_us is None:
        return iter(())
    latest = now_us - jitter_us(row.trigger.id, row.config)
    times = row.config.times(row.next_us - 1)
    return islice(takewhile(lambda at: at <= latest, times), MOST_AT_ONCE + 1)


def _caught_up(row: ScheduleRow, due: list[int], now_us: int) -> Iterator[tuple[int, str | None]]:
    """(time, why it does not fire) of the first `MOST_AT_ONCE`: of those that were missed, the ones that the
    catch-up policy leaves."""
    config = row.config
    late = [at for at in due if at < now_us - ON_TIME_US - jitter_us(row.trigger.id, config)]
    for at in due[:MOST_AT_ONCE]:
        late_s = (now_us - at) / 1e6
        if at not in late:
            yield at, None
        elif config.catch_up == "none":
            yield at, f"missed by {late_s:.0f} s (catch_up: none)"
        elif late_s > config.catch_up_window_s:
            yield at, f"missed by {late_s:.0f} s, more than its window of {config.catch_up_window_s:g} s"
        elif config.catch_up == "last" and at != late[-1]:
            yield at, "missed; a later time that was missed too is fired instead (catch_up: last)"
        else:
            yield at, None


def _fire_backfill(fired: Fired) -> None:
    """Some of the first backfill; each of its times once, whatever overlaps."""
    backfill = fired.row.backfills.pop(0)
    times = takewhile(lambda at: at <= backfill.end_us, fired.row.config.times(backfill.after_us))
    chosen = list(islice(times, MOST_AT_ONCE))
    fired.firings += [Firing(at, backfill.asked_us, backfill_id=backfill.id) for at in chosen]
    if len(chosen) == MOST_AT_ONCE:
        rest = Backfill(backfill.id, chosen[-1], backfill.end_us, backfill.asked_us)
        fired.row.backfills.insert(0, rest)


def _fire_one(fired: Fired, firing: Firing) -> None:
    row = fired.row
    overlap = row.config.overlap
    if firing.refusal is None and row.running and overlap in ("skip", "buffer_one"):
        if overlap == "buffer_one" and row.held_us is None:
            row.held_us = firing.at_us
            return
        firing = firing._replace(
            refusal=f"run {row.running[-1]} of this schedule is still going (overlap: {overlap})"
        )
    fired.firings.append(firing)
    if firing.refusal is not None or overlap == "allow":
        return
    if overlap == "cancel_other":
        fired.cancelled += row.running
        row.running.clear()
    run_id = run_of(row.trigger, firing)
    if run_id not in row.over:
        row.running.append(run_id)
