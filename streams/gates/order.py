"""What a gate remembers of the times of events, which come in another order than they were accepted in.

Workers read one partition after the other, and more of them at different paces: after an outage an event may
come behind others that are minutes younger. Pure; a state is changed in place.

The release before remembers less of it, and changes that alone: what it has decided is in `expected`, in
`first` and `until`, and in `fired`.
"""

from bisect import bisect_left, bisect_right
from typing import Any

MOST_PASSED = 300
"""Times of events that a rate limit has let pass, the latest ones."""
MOST = 100
"""Other times that a gate remembers, those that it has looked at last."""


def conforms(state: dict[str, Any], at_us: int, step_us: float, early_us: float) -> bool:
    """Whether an event of that time may pass: at one each `step_us`, none that has passed may be more than
    `early_us` early then. If so it counts from now on. GCRA: ITU-T I.371, Annex A."""
    before = state.setdefault("before", state.get("expected", 0))
    passed: list[int] = state.setdefault("passed", [])
    place = bisect_right(passed, at_us)
    times, expected = [*passed[:place], at_us, *passed[place:]], before
    if place == len(passed):
        times, expected = [at_us], state.get("expected", 0)
    for time_us in times:
        expected = max(expected, time_us)
        if expected - time_us > early_us:
            return False
        expected += step_us
    passed.insert(place, at_us)
    state["expected"] = max(expected, state.get("expected", 0))
    if len(passed) > MOST_PASSED:
        state["before"] = max(before, passed.pop(0)) + step_us
    return True


def opens(state: dict[str, Any], at_us: int, period_us: float, longest_us: float | None) -> bool:
    """Whether an event of that time is the first of those that come closer than `period_us` after each other,
    and not later than `longest_us` after the first; if not it is one of them."""
    groups: list[list[float]] = state.setdefault("groups", [])
    if "until" in state and (latest := [state["first"], state["until"]]) not in groups:
        groups.append(latest)
    for group in reversed(groups):
        first, until = group
        is_over = longest_us is not None and at_us >= first + longest_us
        is_near = first - period_us < at_us < until and not is_over
        if is_near:
            group[1] = max(until, at_us + period_us)
            break
    else:
        is_near, group = False, [at_us, at_us + period_us]
    _touch(groups, group)
    state["first"], state["until"] = max(groups, key=lambda one: one[1])
    return not is_near


def close(state: dict[str, Any], last_us: int, period_us: float, rest_us: float) -> None:
    """The last of those that came close, of that time, is to start: of them nothing else stays."""
    closed = state.get("closed", [])
    _touch(closed, [state.get("first", last_us) - period_us, last_us, rest_us])
    state.clear()
    state["closed"] = closed


def is_replaced(state: dict[str, Any], at_us: int, period_us: float, *, starts: bool) -> bool:
    """Whether a later event than one of that time has started, to which it came close. `starts`: else it
    starts now, as one that others may have come close to."""
    closed: list[list[float]] = state.setdefault("closed", [])
    for group in reversed(closed):
        begin, last, rest = group
        if begin < at_us < rest:
            group[1] = max(last, at_us)
            _touch(closed, group)
            return at_us < last
    if starts:
        _touch(closed, [at_us - period_us, at_us, at_us + period_us])
    return False


def remember(state: dict[str, Any], trigger_id: str, at_us: int) -> None:
    """A trigger has let an event of that time through."""
    fired = state.setdefault("fired", {})
    times: list[int] = state.setdefault("times", {}).setdefault(trigger_id, [])
    for one in (fired.get(trigger_id, at_us), at_us):
        if one not in times:
            times.append(one)
    del times[:-MOST]
    fired[trigger_id] = max(at_us, fired.get(trigger_id, 0))


class Fired:
    """When triggers have let events through, to be asked for many events. For a state that stays as it is."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._fired: dict[str, int] = state.get("fired", {})
        self._remembered: dict[str, list[int]] = state.get("times", {})
        self._times: dict[str, list[int]] = {}

    def near(self, trigger_id: str, at_us: int, window_us: float) -> bool:
        """Whether a trigger has let an event through that is no farther from that time."""
        times = self._times.get(trigger_id)
        if times is None:
            latest = [self._fired[trigger_id]] if trigger_id in self._fired else []
            times = self._times[trigger_id] = sorted([*self._remembered.get(trigger_id, ()), *latest])
        place = bisect_left(times, at_us - window_us)
        return place < len(times) and times[place] <= at_us + window_us


def _touch(groups: list[list[float]], group: list[float]) -> None:
    """It is the last one to be forgotten: each partition is read in order, so what follows is near it."""
    groups[:] = [*(one for one in groups if one is not group), group][-MOST:]
