"""Schedules against a manual clock: no time twice, none lost, whatever happens in between."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.models import AppTrigger, AppTriggerStatus
from streams.firing import MOST_AT_ONCE, Firing, ended, fire, install, run_of
from streams.schedule_rows import Backfill, ScheduleRow, row_due

S = 1_000_000
MINUTE = 60 * S
START = 1_800_000_000 * S
"""A whole minute."""


def trigger(**config: Any) -> AppTrigger:
    config = {"cron": "* * * * *", **config} if "interval_s" not in config and "at" not in config else config
    return AppTrigger(id="schedule", app_id="app", workflow_id="flow", type="SCHEDULE", config=config)


def row(**config: Any) -> ScheduleRow:
    return install(None, trigger(**config), START)


def started(firings: list[Firing]) -> list[int]:
    """Minutes after the start at which a run begins."""
    return [(one.at_us - START) // MINUTE for one in firings if one.refusal is None]


def reasons(firings: list[Firing]) -> list[str]:
    return [one.refusal for one in firings if one.refusal is not None]


def test_it_fires_when_its_time_has_come() -> None:
    schedule = row()
    assert row_due("", schedule.encode()) == (START + MINUTE) / S
    assert fire(schedule, START + MINUTE - 1).firings == []
    fired = fire(schedule, START + MINUTE)
    assert fired.firings == [Firing(START + MINUTE, START + MINUTE)]
    assert fired.row.next_us == START + 2 * MINUTE
    assert fired.row.running == []


def test_the_same_row_fires_the_same_times_again_after_a_crash() -> None:
    schedule = row(overlap="skip")
    first, again = fire(schedule, START + MINUTE), fire(schedule, START + MINUTE + 5 * S)
    assert first.firings == again.firings
    assert first.row.running == again.row.running == [run_of(schedule.trigger, first.firings[0])]


def test_jitter_delays_a_time_and_does_not_rename_it() -> None:
    schedule = row(jitter_s=30)
    due_s = row_due("", schedule.encode())
    assert due_s is not None
    assert 0 < due_s - (START + MINUTE) / S < 30
    assert fire(schedule, int(due_s * S) - 1).firings == []
    assert started(fire(schedule, int(due_s * S)).firings) == [1]


@pytest.mark.parametrize(
    ("policy", "expected", "skipped"),
    [("none", [10], 9), ("last", [9, 10], 8), ("all", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0)],
)
def test_what_was_missed_is_caught_up_as_the_policy_says(
    policy: str, expected: list[int], skipped: int
) -> None:
    fired = fire(row(catch_up=policy), START + 10 * MINUTE + 30 * S)
    assert started(fired.firings) == expected
    assert len(reasons(fired.firings)) == skipped
    assert len(fired.firings) == 10
    assert fired.row.next_us == START + 11 * MINUTE


def test_beyond_its_window_a_missed_time_is_not_caught_up() -> None:
    fired = fire(row(catch_up="all", catch_up_window_s=180), START + 10 * MINUTE)
    assert started(fired.firings) == [7, 8, 9, 10]
    assert reasons(fired.firings)[0] == "missed by 540 s, more than its window of 180 s"


def test_a_long_downtime_is_caught_up_in_portions() -> None:
    schedule, now = row(catch_up="last", catch_up_window_s=1e9), START + 1000 * MINUTE + 30 * S
    firings, portions = list[Firing](), 0
    while (schedule.next_us or 0) <= now:
        fired = fire(schedule, now)
        assert len(fired.firings) <= MOST_AT_ONCE
        firings, schedule, portions = firings + fired.firings, fired.row, portions + 1
    assert portions == 10
    assert [one.at_us for one in firings] == [START + n * MINUTE for n in range(1, 1001)]
    assert started(firings) == [999, 1000]


@pytest.mark.parametrize("hours", [MOST_AT_ONCE - 1, MOST_AT_ONCE, MOST_AT_ONCE + 1, 2 * MOST_AT_ONCE])
def test_the_last_that_was_missed_is_caught_up_wherever_a_portion_ends(hours: int) -> None:
    schedule, now = row(cron="0 * * * *"), START + hours * 60 * MINUTE + 30 * MINUTE
    firings = list[Firing]()
    while (schedule.next_us or 0) <= now:
        fired = fire(schedule, now)
        assert len(fired.firings) <= MOST_AT_ONCE
        firings, schedule = firings + fired.firings, fired.row
    assert len(firings) == hours
    assert [one.at_us for one in firings if one.refusal is None] == [firings[-1].at_us]


def test_skip_leaves_out_what_comes_while_a_run_is_going() -> None:
    schedule = fire(row(overlap="skip"), START + MINUTE).row
    run = schedule.running[0]
    fired = fire(schedule, START + 2 * MINUTE)
    assert reasons(fired.firings) == [f"run {run} of this schedule is still going (overlap: skip)"]
    schedule = ended(fired.row, run).row
    assert started(fire(schedule, START + 3 * MINUTE).firings) == [3]


def test_a_run_that_starts_again_is_still_going() -> None:
    schedule = fire(row(overlap="buffer_one"), START + MINUTE).row
    run = schedule.running[0]
    held = fire(schedule, START + 2 * MINUTE).row
    waiting = ended(held, run, "again")
    assert (waiting.firings, waiting.row.running) == ([], ["again"])
    told_twice = ended(waiting.row, run, "again").row
    assert told_twice.running == ["again"]
    over = ended(told_twice, "again")
    assert started(over.firings) == [2]
    late = ended(over.row, run, "again")
    assert (late.firings, late.row.running) == ([], over.row.running)


def test_a_run_that_is_known_not_to_start_again_is_over() -> None:
    schedule = fire(row(overlap="skip"), START + MINUTE).row
    run = schedule.running[0]
    # Its engine says that it starts again, its gate that it does not, whichever comes first.
    assert ended(ended(ended(schedule, run, "again").row, run).row, "again").row.running == []
    assert ended(ended(ended(schedule, run).row, "again").row, run, "again").row.running == []


def test_buffer_one_holds_the_first_until_the_run_has_ended() -> None:
    schedule = fire(row(overlap="buffer_one"), START + MINUTE).row
    run = schedule.running[0]
    second = fire(schedule, START + 2 * MINUTE)
    assert second.firings == []
    third = fire(second.row, START + 3 * MINUTE)
    assert len(reasons(third.firings)) == 1
    released = ended(third.row, run)
    assert started(released.firings) == [2]
    assert released.row.running == [run_of(schedule.trigger, released.firings[0])]
    assert released.row.held_us is None


def test_a_time_that_is_held_does_not_start_once_its_schedule_is_disabled() -> None:
    schedule = fire(row(overlap="buffer_one"), START + MINUTE).row
    run = schedule.running[0]
    schedule = fire(schedule, START + 2 * MINUTE).row
    schedule = install(schedule, trigger(overlap="buffer_one", enabled=False), START + 2 * MINUTE + S)
    released = ended(schedule, run)
    assert reasons(released.firings) == ["the schedule was disabled while the run before it was going"]
    assert (started(released.firings), released.row.running, released.row.held_us) == ([], [], None)


def test_cancel_other_ends_the_run_before() -> None:
    schedule = fire(row(overlap="cancel_other"), START + MINUTE).row
    run = schedule.running[0]
    fired = fire(schedule, START + 2 * MINUTE)
    assert fired.cancelled == [run]
    assert fired.row.running == [run_of(schedule.trigger, fired.firings[0])]


def test_a_paused_schedule_waits_and_goes_on_with_the_next_time() -> None:
    schedule = row()
    paused = schedule.trigger.model_copy(update={"status": AppTriggerStatus.PAUSED})
    schedule = install(schedule, paused, START + 30 * S)
    assert row_due("", schedule.encode()) is None
    schedule = install(schedule, trigger(), START + 5 * MINUTE + 1)
    assert schedule.next_us == START + 6 * MINUTE
    assert row_due("", row(enabled=False).encode()) is None


def test_a_change_keeps_the_next_time_unless_the_times_change() -> None:
    schedule = row()
    late = START + 10 * MINUTE
    assert install(schedule, trigger(inputs={"a": 1}), late).next_us == START + MINUTE
    assert install(schedule, trigger(cron="0 * * * *"), late).next_us != START + MINUTE


def test_a_backfill_fires_its_range_in_portions_each_time_once() -> None:
    schedule = row(start_at="2020-01-01T00:00Z")
    schedule.next_us = None
    begin, end = START - 250 * MINUTE, START - MINUTE
    schedule.backfills.append(Backfill("b1", begin - 1, end, START))
    firings = list[Firing]()
    while schedule.backfills:
        assert row_due("", schedule.encode()) == 0
        fired = fire(schedule, START + S)
        firings, schedule = firings + fired.firings, fired.row
    assert [one.at_us for one in firings] == [START - n * MINUTE for n in range(250, 0, -1)]
    assert {one.received_us for one in firings} == {START}
    assert len({run_of(schedule.trigger, one) for one in firings}) == 250
    assert run_of(schedule.trigger, firings[0]) != run_of(
        schedule.trigger, firings[0]._replace(backfill_id="")
    )


@pytest.mark.parametrize("overlap", ["skip", "buffer_one", "cancel_other"])
def test_a_run_that_ended_before_its_time_was_decided_again_is_over(overlap: str) -> None:
    """Its worker died before the row was there; the end of the run is never told again."""
    schedule = row(overlap=overlap)
    (firing,) = fire(schedule, START + MINUTE).firings
    run_id = run_of(schedule.trigger, firing)
    told = ended(ended(schedule, run_id).row, run_id)
    assert told.firings == []
    assert told.row.over == [run_id]
    again = fire(ScheduleRow.decode(told.row.encode()), START + MINUTE + S)
    assert again.firings == [firing]
    assert (again.row.running, again.row.over) == ([], [])
    (following,) = fire(again.row, START + 2 * MINUTE).firings
    assert following.refusal is None


def test_what_has_ended_early_is_bounded_and_stays_while_the_schedule_is_changed() -> None:
    schedule = row(overlap="skip")
    for number in range(MOST_AT_ONCE + 1):
        schedule = ended(schedule, f"run-{number}").row
    assert schedule.over == [f"run-{number}" for number in range(1, MOST_AT_ONCE + 1)]
    assert install(schedule, trigger(overlap="skip", jitter_s=3), START).over == schedule.over
    assert ended(row(overlap="allow"), "run").row.over == []


def test_a_row_is_read_as_it_was_written() -> None:
    schedule = fire(row(overlap="skip"), START + MINUTE).row
    schedule.held_us = 5
    schedule.backfills.append(Backfill("b", 1, 2, 3))
    assert ScheduleRow.decode(schedule.encode()) == schedule


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 40 * S), min_size=1, max_size=40),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.sampled_from(["allow", "buffer_one", "cancel_other"]),
    st.sampled_from([0, 17]),
)
def test_each_time_starts_one_run_however_often_the_worker_dies(
    steps: list[int], crashes: list[bool], overlap: str, jitter_s: int
) -> None:
    """A crash is a decision whose row was not kept: the next owner decides again, a little later."""
    schedule, now, seen = row(interval_s=7, overlap=overlap, jitter_s=jitter_s), START, list[int]()
    for step, crash in zip(steps, _cycle(crashes), strict=False):
        now += step
        fired = fire(schedule, now)
        seen += [one.at_us for one in fired.firings if one.refusal is None]
        if crash:
            continue
        schedule = fired.row
        for run in list(schedule.running):
            released = ended(schedule, run)
            seen += [one.at_us for one in released.firings if one.refusal is None]
            schedule = released.row
    last = fire(schedule, now)
    seen += [one.at_us for one in last.firings if one.refusal is None]
    first = row(interval_s=7).next_us
    assert first is not None
    if overlap == "allow":
        latest = max(seen, default=first - 7 * S)
        assert sorted(set(seen)) == list(range(first, latest + 1, 7 * S))
    assert all((at - first) % (7 * S) == 0 for at in seen)


def _cycle(values: list[bool]) -> Iterator[bool]:
    while True:
        yield from values
