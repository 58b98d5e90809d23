"""Ids of a run's events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.live.changes import ENDED, PAUSED, STARTED, Mark
from ingress.live.told import Told


def test_nodes_that_follow_one_another_take_no_room() -> None:
    told = Told()
    told.set(0, Mark(0, STARTED))
    for step in range(1, 500):
        told.set(step, Mark(1, ENDED))
    told.set(500, Mark(2, PAUSED))
    assert str(told) == "0.1/1-499/500.2.2"


@given(st.lists(st.integers(1, 30)))
def test_nodes_may_end_in_any_order(ended: list[int]) -> None:
    told = Told()
    for step in ended:
        told.set(step, Mark(1, STARTED))
        told.set(step, Mark(1, ENDED))
    assert {step for step in range(32) if told.mark(step).phase == ENDED} == set(ended)
    spans = filter(None, str(told).split("/")[1].split(","))
    bounds = [int(bound) for span in spans for bound in (span.split("-") * 2)[:2]]
    # Neither do they overlap nor touch: the id is as short as it can be.
    assert all(first + 1 < second for first, second in zip(bounds[1::2], bounds[2::2], strict=False))
    told = told.copy()
    told.set(31, Mark(1, ENDED))
    assert told.mark(31).phase == ENDED


@given(
    st.dictionaries(
        st.integers(1, 999), st.builds(Mark, st.integers(1, 99), st.integers(STARTED, ENDED)), max_size=50
    )
)
def test_an_id_says_everything(marks: dict[int, Mark]) -> None:
    told = Told()
    told.set(0, Mark(3, PAUSED))
    for step, mark in marks.items():
        told.set(step, mark)
    again = Told.parse(str(told))
    assert str(again) == str(told)
    assert all(again.mark(step) == told.mark(step) for step in range(1000))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0.1",
        "x",
        "0.1/1-2",
        "0.1/1-100001/",
        "0.1/-/",
        "0.1//1.1",
        "0.1//1.1.1 ",
        "1.1/a/",
        "1.1/0-2/",
        "1.1/3-2/",
        "1.1/4,1-2/",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="the id"):
        Told.parse(text)


def test_the_end_of_the_run_is_the_end() -> None:
    assert not Told.parse("1.3/1-4/").ended
    assert Told.parse("1.4/1-4/").ended
