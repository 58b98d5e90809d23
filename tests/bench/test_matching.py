"""The router against a brute-force reference in a small world; `python -m bench.matching` has a large one."""

from dataclasses import replace

import pytest

from bench.matching.reference import Run, expected_runs
from bench.matching.routed import routed_runs
from bench.matching.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World(triggers=3_000, events=800, seed=7)


@pytest.fixture(scope="module")
def expected(world: World) -> set[Run]:
    return expected_runs(world)


def test_the_runs_are_those_of_the_reference(world: World, expected: set[Run]) -> None:
    started = routed_runs(world)
    assert started.runs == expected
    assert len(started.run_ids) == len(expected)
    assert started.outcomes["duplicate"] > 0
    kinds = {world.happenings[number].kind for number, _ in expected}
    assert kinds == {"GITHUB", "SLACK", "CLOUDEVENTS", "WEBHOOK", "SCHEDULE", "MANUAL"}


def test_the_same_seed_is_the_same_world_and_a_difference_is_seen(world: World, expected: set[Run]) -> None:
    again = World(triggers=3_000, events=800, seed=7)
    assert again.happenings == world.happenings
    assert [one.config for one in again.triggers] == [one.config for one in world.triggers]
    number, _ = min(expected)
    again.happenings[number] = replace(again.happenings[number], tenant_id="nobody")
    assert expected_runs(again) != expected
