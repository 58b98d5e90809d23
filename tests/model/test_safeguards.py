"""Without a safeguard of the protocol the model finds a counterexample."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from tests.model.deployment import NAMES
from tests.model.history import Broken
from tests.model.machine import Halfway, Protocol
from tests.model.safeguards import SAFEGUARDS

TASKS = ("node.tasks.default", "node.tasks.high_priority")
SETTINGS = settings(
    max_examples=80, stateful_step_count=5, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
)  # fmt: skip

_WITH = 8
"""Examples with all safeguards in place: what is found is the missing one, not a machine that is broken."""


class LookAt(NamedTuple):
    """When a safeguard is needed: workers die over one of `whats`, at one of these `places`."""

    whats: Sequence[str]
    places: Sequence[tuple[str, ...]]


LOOK_AT = {
    "acknowledged_after_the_sends": LookAt(("work", "pure"), [TASKS, ("run.commands",)]),
    "acknowledged_after_the_rows": LookAt(("work", "ask"), [("changelog.runs",)]),
    "sends_before_rows": LookAt(("work", "ask"), [TASKS, ("runs", "node.executions")]),
    "commits_behind_what_is_unfinished": LookAt(("work",), [("run.commands",), TASKS]),
    "recovery_before_records": LookAt(("work",), [("changelog.runs",)]),
    "stale_attempts_are_ignored": LookAt(("work",), [("changelog.runs",)]),
    "deterministic_ids": LookAt(("work", "pure"), [("changelog.dedup",)]),
    "gates_know_who_has_entered": LookAt(("gather",), [("changelog.dedup",)]),
}


@pytest.mark.parametrize("name", LOOK_AT)
def test_without_it_there_is_a_counterexample(name: str) -> None:
    look = LOOK_AT[name]

    class Focused(Halfway):
        @rule(what=st.sampled_from(look.whats), topics=st.sampled_from(look.places),
              passing=st.integers(0, 1), written=st.just(0), is_committed=st.booleans(),
              meanwhile=st.just("nothing"), away_s=st.sampled_from((0, 7)))  # fmt: skip
        def workers_die_over_it(self, **given: object) -> None:
            Halfway.workers_die_over_it(self, **given)

        workers_freeze_over_it = records_vanish_under_the_reader = a_run_is_cancelled = None

    _finds(Focused, name)


def test_without_epochs_of_rows_there_is_a_counterexample() -> None:
    class Zombies(Halfway):
        @rule(what=st.sampled_from(("work", "ask")), topics=st.just(("changelog.runs",)),
              passing=st.integers(0, 1), meanwhile=st.sampled_from(("work", "time")),
              sends_first=st.booleans())  # fmt: skip
        def workers_freeze_over_it(self, **given: object) -> None:
            Halfway.workers_freeze_over_it(self, **given)

        workers_die_over_it = records_vanish_under_the_reader = a_run_is_cancelled = None

    _finds(Zombies, "epochs_of_rows")


def test_without_groups_of_rows_there_is_a_counterexample() -> None:
    class Halves(Halfway):
        @initialize(seed=st.integers(0, 255), is_lasting=st.booleans())
        def begin(self, seed: int, is_lasting: bool) -> None:
            Halfway.begin(self, seed, is_lasting, split_bytes=0, most=500)

        @rule(what=st.sampled_from(("work", "ask", "time", "answer")), passing=st.integers(0, 3),
              written=st.integers(0, 3), away_s=st.sampled_from((0, 7)))  # fmt: skip
        def workers_die_over_it(self, what: str, passing: int, written: int, away_s: int) -> None:
            Halfway.workers_die_over_it(
                self, what, ("changelog.runs",), passing, written, False, "nothing", away_s
            )

        workers_freeze_over_it = records_vanish_under_the_reader = None

    _finds(Halves, "groups_of_rows")


def test_without_saying_only_what_is_done_there_is_a_counterexample() -> None:
    class Several(Halfway):
        @rule(starts=st.integers(2, 6))
        def workers_die_over_several_tasks(self, starts: int) -> None:
            """So many starts are out, and results of their tasks are not."""
            before = list(self.deployment.processes.values())
            for process in before:
                process.link.stall(("run.commands",), starts)
            for trigger_id in "abab":
                self.an_event_comes("work", trigger_id)
            self.deployment.commit()
            for process in before:
                process.kill()
            self._restore()
            self._pass_time(7)
            for name in NAMES:
                self.a_worker_is_started(name)

        workers_die_over_it = workers_freeze_over_it = records_vanish_under_the_reader = None
        a_run_is_cancelled = None

    _finds(Several, "only_what_is_done_is_left_out")


def test_without_looking_for_gaps_there_is_a_counterexample() -> None:
    class Gaps(Halfway):
        @rule(flow=st.sampled_from(("pure", "work")))
        def records_vanish_under_the_reader(self, flow: str) -> None:
            """Of two records that are read at once, the first."""
            processes = list(self.deployment.processes.values())
            for process in processes:
                process.stop()
            for trigger_id in "ab":
                self.an_event_comes(flow, trigger_id)
            for process in processes:
                process.source.skips = 1
                process.go_on()
            self.deployment.settle()

        workers_die_over_it = workers_freeze_over_it = a_run_is_cancelled = None

    _finds(Gaps, "no_gaps")


def test_without_the_backlog_before_due_rows_there_is_a_counterexample() -> None:
    class Late(Halfway):
        @rule(seconds=st.sampled_from((7, 12)), away_s=st.just(31))
        def an_event_comes_while_nobody_is_there(self, seconds: int, away_s: int) -> None:
            self.an_event_comes("work", "a")
            self._pass_time(seconds)
            for process in self.deployment.processes.values():
                process.kill()
            self.an_event_comes("work", "a")
            self._pass_time(away_s)
            for name in NAMES:
                self.a_worker_is_started(name)

        workers_die_over_it = workers_freeze_over_it = records_vanish_under_the_reader = None
        a_run_is_cancelled = None

    _finds(Late, "due_rows_after_the_backlog")


def test_without_time_among_the_commands_there_is_a_counterexample() -> None:
    class Timers(Halfway):
        @rule(passing=st.integers(0, 1), away_s=st.sampled_from((0, 7)))
        def workers_die_over_an_attempt(self, passing: int, away_s: int) -> None:
            """And it is cancelled before they come again."""
            self.an_event_comes("work", "a")
            Halfway.workers_die_over_it(
                self, "time", ("changelog.runs",), passing, 0, False, "cancel", away_s
            )

        workers_die_over_it = workers_freeze_over_it = records_vanish_under_the_reader = None
        a_run_is_cancelled = None

    _finds(Timers, "time_in_its_place_among_commands")


@pytest.mark.parametrize("name", ["the_position_first_seen", "applied_commands_change_nothing"])
def test_without_it_the_whole_machine_finds_one(name: str) -> None:
    class Whole(Protocol):
        pass

    _finds(Whole, name, steps=12)


def _finds(machine: type[Protocol], name: str, steps: int = 5) -> None:
    """Finds one without the safeguard of that name, and none with it."""
    logging.disable(logging.CRITICAL)
    try:
        run_state_machine_as_test(
            machine, settings=settings(SETTINGS, max_examples=_WITH, stateful_step_count=steps)
        )
        with SAFEGUARDS[name](), pytest.raises(Broken):
            run_state_machine_as_test(machine, settings=settings(SETTINGS, stateful_step_count=steps))
    finally:
        logging.disable(logging.NOTSET)
