"""Events that are looked at late, as after an outage: one partition of them after the other, in no order."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.gates.ticket import Gate
from tests.streams.gates.driver import DEPENDS, LEADING, RATE_LIMIT, THROTTLE, TRAILING, Driver, gate

LATE_S = 1_000


@pytest.fixture(params=[False, True], ids=["once", "repeated"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Whether or not commands are decided again after a crash, the same comes out."""
    return _late(Driver(repeats=request.param))


def _late(driver: Driver) -> Driver:
    driver.advance(LATE_S)
    return driver


def catch_up(driver: Driver, gate: Gate, accepted_s: Sequence[float]) -> list[str]:
    """Events named by when they were accepted, some ten milliseconds after each other; those that start."""
    for at_s in accepted_s:
        driver.event(f"{at_s:g}", gate, accepted_s=at_s)
        driver.advance(driver.at_s + 0.01)
    driver.advance(driver.at_s + 200)
    assert driver.rows == {}
    names = [name for _, name, _ in driver.started]
    assert sorted([*names, *driver.refused]) == sorted(f"{at_s:g}" for at_s in accepted_s)
    return names


@pytest.mark.parametrize("each", [RATE_LIMIT, LEADING, TRAILING, THROTTLE], ids=lambda gate: gate.kind)
@pytest.mark.parametrize("order", list(permutations([100, 300, 600])), ids=str)
def test_what_came_far_apart_starts_in_whatever_order_it_is_looked_at(
    driver: Driver, each: Gate, order: tuple[int, ...]
) -> None:
    assert sorted(catch_up(driver, each, order)) == ["100", "300", "600"]


def test_a_rate_limit_holds_for_the_time_at_which_events_came(driver: Driver) -> None:
    assert catch_up(driver, RATE_LIMIT, [600, 100, 101, 102, 601, 602]) == ["600", "100", "101", "601"]
    assert driver.refused == dict.fromkeys(("102", "602"), "over the rate limit: at most 2 in 10 s")


@settings(max_examples=100, deadline=None, derandomize=True)
@given(times=st.lists(st.integers(0, 60), min_size=1, max_size=30))
def test_no_more_pass_than_the_limit_whatever_the_order(times: list[int]) -> None:
    driver = _late(Driver())
    for number, at_s in enumerate(times):
        driver.event(f"{number}", RATE_LIMIT, accepted_s=at_s)
    passed = sorted(times[int(name)] for _, name, _ in driver.started)
    free_at = -10.0
    for at_s in passed:
        free_at = max(free_at, at_s)
        assert free_at - at_s <= 5, "two in ten seconds: one may come early"
        free_at += 5
    in_order = _late(Driver())
    for number, at_s in enumerate(passed):
        in_order.event(f"{number}", RATE_LIMIT, accepted_s=at_s)
    assert len(in_order.started) == len(passed)


def test_of_events_that_came_close_the_first_that_is_looked_at_starts(driver: Driver) -> None:
    assert catch_up(driver, LEADING, [600, 100, 99, 101, 103.5, 602]) == ["600", "100"]


def test_of_events_that_came_close_the_last_starts_though_it_is_looked_at_first(driver: Driver) -> None:
    assert catch_up(driver, TRAILING, [102, 100, 101]) == ["102"]
    assert driver.refused == dict.fromkeys(("100", "101"), "debounced: a later event took its place")


def test_events_that_came_close_are_waited_for(driver: Driver) -> None:
    assert catch_up(driver, TRAILING, [100, 101, 102.5]) == ["102.5"]
    assert driver.started[0][0] < LATE_S + 4


def groups(times: Sequence[float], near_s: float) -> list[list[float]]:
    """Those that came closer than that after each other."""
    found: list[list[float]] = []
    for at_s in sorted(set(times)):
        if found and at_s < found[-1][-1] + near_s:
            found[-1].append(at_s)
        else:
            found.append([at_s])
    return found


@pytest.mark.parametrize("mode", ["leading", "trailing"])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    times=st.lists(st.integers(0, 60), min_size=1, max_size=20, unique=True),
    pauses=st.lists(st.sampled_from([0.0, 0.01, 1, 5]), min_size=20, max_size=20),
)
def test_of_each_group_one_starts_whatever_the_order(
    mode: str, times: list[int], pauses: list[float]
) -> None:
    """The last one of them, or any: others may as well, where it was looked at before it was known better."""
    debounce = gate("debounce", period_s=3, mode=mode, max_wait_s=None)
    driver = _late(Driver())
    for at_s, pause_s in zip(times, pauses, strict=False):
        driver.event(f"{at_s}", debounce, accepted_s=at_s)
        driver.advance(driver.at_s + pause_s)
    driver.advance(driver.at_s + 200)
    assert driver.rows == {}
    started = {int(name) for _, name, _ in driver.started}
    assert started | {int(name) for name in driver.refused} == set(times)
    for group in groups(times, 3):
        assert group[-1] in started if mode == "trailing" else started.intersection(group)


@pytest.mark.parametrize("each", [TRAILING, THROTTLE], ids=lambda gate: gate.kind)
def test_a_clock_that_is_ahead_holds_nothing_up(driver: Driver, each: Gate) -> None:
    ahead_s = LATE_S + 3600
    driver.event("a", each, accepted_s=ahead_s)
    driver.advance(LATE_S + 20)
    driver.event("b", each)
    driver.event("c", each, accepted_s=ahead_s)
    driver.advance(LATE_S + 40)
    assert [name for _, name, _ in driver.started] == (["a", "c"] if each is TRAILING else ["a", "b", "c"])


def test_events_of_a_clock_that_is_ahead_are_near_those_that_come_with_them(driver: Driver) -> None:
    driver.event("a", DEPENDS, accepted_s=LATE_S + 3600)
    driver.note(DEPENDS, "other", 20)
    driver.note(DEPENDS, "other", 20, accepted_s=LATE_S + 7200)
    driver.event("b", DEPENDS)
    assert [name for _, name, _ in driver.started] == ["a", "b"]


def test_a_throttle_counts_no_wait_that_is_over(driver: Driver) -> None:
    assert catch_up(driver, THROTTLE, [600, 100, 602, 604]) == ["600", "100", "602", "604"]


def test_what_a_trigger_depends_on_is_waited_for_though_its_window_has_passed(driver: Driver) -> None:
    driver.event("a", DEPENDS, accepted_s=100)
    driver.advance(LATE_S + 5)
    driver.note(DEPENDS, "other", 20, accepted_s=110)
    assert [name for _, name, _ in driver.started] == ["a"]
    driver.event("b", DEPENDS, accepted_s=140)
    driver.advance(LATE_S + 300)
    assert driver.refused == {"b": "not all of the triggers it depends on came within 20 s"}
    assert driver.rows == {}


@pytest.mark.parametrize("mode", ["all", "any"])
def test_a_trigger_that_has_let_through_more_since_is_found_all_the_same(driver: Driver, mode: str) -> None:
    needs = gate("depends", triggers=["other"], mode=mode, window_s=20)
    for at_s in (300, 110, 500):
        driver.note(needs, "other", 20, accepted_s=at_s)
    for at_s in (100, 320, 400, 510):
        driver.event(f"{at_s}", needs, accepted_s=at_s)
    assert [name for _, name, _ in driver.started] == ["100", "320", "510"]
    driver.advance(LATE_S + 300)
    assert list(driver.refused) == ["400"]
    assert driver.rows == {}
