"""Gates one behind the other give what each of them gives for what the one before it lets through.

The reference is written for lists of times, not for rows: it shares nothing with the stage.
"""

from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.gates.ticket import Gate
from tests.streams.gates.driver import BATCH, LEADING, RATE_LIMIT, THROTTLE, TRAILING, Driver

Flow = list[tuple[float, tuple[str, ...]]]
"""Seconds, and the events that start together; in order."""


def rate_limited(flow: Flow) -> Flow:
    passed: Flow = []
    credit, since = 2.0, 0.0
    for at, events in flow:
        credit, since = min(2.0, credit + (at - since) / 5), at
        if credit >= 1 - 1e-5:
            credit -= 1
            passed.append((at, events))
    return passed


def throttled(flow: Flow) -> Flow:
    passed: Flow = []
    for at, events in flow:
        passed.append((max(at, passed[-1][0] + 2) if passed else at, events))
    return passed


def trailing(flow: Flow) -> Flow:
    passed: Flow = []
    first = due = 0.0
    pending: tuple[str, ...] | None = None
    for at, events in flow:
        if pending is not None and at >= due:
            passed.append((due, pending))
            pending = None
        if pending is None:
            first = at
        pending, due = events, min(at + 3, first + 8)
    return [*passed, (due, pending)] if pending is not None else passed


def leading(flow: Flow) -> Flow:
    passed: Flow = []
    until = first = -1.0
    for at, events in flow:
        if at >= until or at >= first + 8:
            passed.append((at, events))
            first = at
        until = at + 3
    return passed


def batched(flow: Flow) -> Flow:
    passed: Flow = []
    opened: list[tuple[float, tuple[str, ...]]] = []
    for at, events in flow:
        if opened and at >= opened[0][0] + 5:
            passed.append((opened[0][0] + 5, sum((e for _, e in opened), ())))
            opened = []
        opened.append((at, events))
        if len(opened) == 3:
            passed.append((at, sum((e for _, e in opened), ())))
            opened = []
    if opened:
        passed.append((opened[0][0] + 5, sum((e for _, e in opened), ())))
    return passed


REFERENCE: dict[str, tuple[Gate, Callable[[Flow], Flow]]] = {
    "rate limit": (RATE_LIMIT, rate_limited),
    "trailing": (TRAILING, trailing),
    "leading": (LEADING, leading),
    "batch": (BATCH, batched),
    "throttle": (THROTTLE, throttled),
}
PAIRS = [pair for pair in permutations(REFERENCE, 2) if set(pair) != {"trailing", "leading"}]


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: name)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(gaps=st.lists(st.sampled_from([0.1, 0.4, 1.3, 2.7, 6.1, 11.3]), min_size=1, max_size=14))
def test_each_pair(first: str, second: str, gaps: list[float]) -> None:
    driver, flow, at = Driver(), Flow(), 0.0
    (gate, before), (behind, after) = REFERENCE[first], REFERENCE[second]
    for number, gap in enumerate(gaps):
        at += gap
        driver.advance(at)
        driver.event(str(number), gate, behind)
        flow.append((at, (str(number),)))
    driver.advance(at + 1_000)
    expected = after(before(flow))
    found = [(at_s, _events(name, inputs)) for at_s, name, inputs in driver.started]
    assert [events for _, events in found] == [events for _, events in expected]
    assert [round(at_s, 1) for at_s, _ in found] == pytest.approx([at for at, _ in expected], abs=0.2)
    left = {str(number) for number in range(len(gaps))} - {events[0] for _, events in found}
    assert set(driver.refused) == left, "each event starts a run or says why not"
    assert driver.rows == {}


def _events(name: str, inputs: dict[str, list[dict[str, str]]]) -> tuple[str, ...]:
    return tuple(one["name"] for one in inputs.get("events", [])) or (name,)
