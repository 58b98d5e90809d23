"""Ids of the events of many runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.live.changes import NODES, RUNS, Change, Place, Places
from ingress.live.positions import Positions

TOPICS = (NODES, RUNS)


def begins(**offsets: int) -> Places:
    return {Place(topic, n): offsets.get(f"{topic[0]}{n}", 0) for topic in TOPICS for n in range(2)}


def record(place: Place, offset: int) -> Change:
    return Change(place.topic, place.partition, offset, {})


def test_an_id_is_short_where_nothing_is_held_back() -> None:
    positions = Positions(begins(n0=35, n1=36, r1=10**9))
    assert str(positions) == "z_10-0_gjdgxs"
    assert Positions.parse(str(positions), TOPICS, 2).next == positions.next


def test_what_is_held_back_is_read_again_and_nothing_else() -> None:
    positions, place = Positions(begins()), Place(RUNS, 1)
    first, second, third = (record(place, offset) for offset in range(3))
    assert [positions.take(one) for one in (first, second, third)] == [0, 0, 0]
    positions.told(second)
    positions.done(first)
    positions.done(third)
    again = Positions.parse(str(positions), TOPICS, 2)
    assert again.begins == {**begins(), place: 1}
    assert [again.take(record(place, offset)) for offset in range(4)] == [None, 1, None, 0]


@given(st.lists(st.tuples(st.sampled_from(list(begins())), st.integers(0, 2)), max_size=60))
def test_an_id_says_everything(steps: list[tuple[Place, int]]) -> None:
    positions = Positions(begins())
    for place, what in steps:
        change = record(place, positions.next[place])
        positions.take(change)
        if what == 1:
            positions.told(change)
        elif what == 2:
            positions.done(change)
    again = Positions.parse(str(positions), TOPICS, 2)
    assert (again.next, again.begins, str(again)) == (positions.next, positions.begins, str(positions))


@pytest.mark.parametrize(
    "text",
    ["", "1_2", "1_2-3", "1_2-3_4-5_6", "1_2-3_A", "1_2-3_4~", "1_2-3_4~5.", "1_2-3_4~5.x", "9" * 20_000],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="the id"):
        Positions.parse(text, TOPICS, 2)


def test_what_is_no_longer_kept_is_skipped_and_said() -> None:
    positions, place = Positions(begins(n0=5)), Place(NODES, 0)
    held = record(place, 5)
    positions.take(held)
    assert not positions.forget_before({**begins(), place: 5})
    assert positions.forget_before({**begins(), place: 9})
    assert str(positions) == "9_0-0_0"
