"""Without a safeguard of the protocol the model finds a counterexample."""

import logging
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tests.model.history import Broken
from tests.model.machine import Halfway, Protocol
from tests.model.safeguards import SAFEGUARDS

TASKS = ("node.tasks.default", "node.tasks.high_priority")
SETTINGS = settings(
    max_examples=80, stateful_step_count=5, derandomize=True, database=None, deadline=None,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
)  # fmt: skip

LOOK_AT: dict[str, tuple[Sequence[str], Sequence[tuple[str, ...]]]] = {
    "acknowledged_after_the_sends": (("work", "pure"), [TASKS, ("run.commands",)]),
    "acknowledged_after_the_rows": (("work", "ask"), [("changelog.runs",)]),
    "sends_before_rows": (("work", "ask"), [TASKS, ("runs", "node.executions")]),
    "commits_behind_what_is_unfinished": (("work",), [("run.commands",), TASKS]),
    "recovery_before_records": (("work",), [("changelog.runs",)]),
    "stale_attempts_are_ignored": (("work",), [("changelog.runs",)]),
    "deterministic_ids": (("work", "pure"), [("changelog.dedup",)]),
    "gates_know_who_has_entered": (("gather",), [("changelog.dedup",)]),
}
"""Of each safeguard: what happens, and at which topics workers die over it."""


@pytest.mark.parametrize("name", LOOK_AT)
def test_without_it_there_is_a_counterexample(name: str) -> None:
    whats, places = LOOK_AT[name]

    class Focused(Halfway):
        @rule(what=st.sampled_from(whats), topics=st.sampled_from(places), passing=st.integers(0, 1),
              written=st.just(0), is_committed=st.booleans(), away_s=st.sampled_from((0, 7)))  # fmt: skip
        def workers_die_over_it(self, **given: object) -> None:
            Halfway.workers_die_over_it(self, **given)

        workers_freeze_over_it = records_vanish_under_the_reader = a_run_is_cancelled = None

    _finds(Focused, name)


@pytest.mark.parametrize("name", ["the_position_first_seen", "applied_commands_change_nothing"])
def test_without_it_the_whole_machine_finds_one(name: str) -> None:
    class Whole(Protocol):
        pass

    _finds(Whole, name)


def _finds(machine: type[Protocol], name: str) -> None:
    logging.disable(logging.CRITICAL)
    try:
        with SAFEGUARDS[name](), pytest.raises(Broken):
            run_state_machine_as_test(
                machine, settings=settings(SETTINGS, stateful_step_count=5 if name in LOOK_AT else 12)
            )
    finally:
        logging.disable(logging.NOTSET)
