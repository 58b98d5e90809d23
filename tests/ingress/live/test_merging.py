"""Partitions that are read one sooner than the other, in the order of time."""

import random
from math import inf

import pytest

from ingress.live.changes import NODES, RUNS, Change, Place
from ingress.live.merging import Merging

PLACES = [Place(topic, number) for topic in (NODES, RUNS) for number in range(2)]


def change(place: Place, offset: int, size: int = 0) -> Change:
    return Change(place.topic, place.partition, offset, {}, size)


@pytest.mark.parametrize("seed", range(20))
def test_all_comes_in_the_order_of_time(seed: int) -> None:
    chance = random.Random(seed)
    left = {place: sorted(chance.sample(range(1000), 30)) for place in PLACES}
    times = {(place, n): at for place, found in left.items() for n, at in enumerate(found)}
    merging, taken = Merging(PLACES), []
    read = dict.fromkeys(PLACES, 0)
    while left:
        place = chance.choice(list(left))
        for at in left[place][read[place] : read[place] + chance.randint(1, 9)]:
            merging.reach(place, at, change(place, read[place]))
            read[place] += 1
        if read[place] == len(left[place]):
            merging.reach(place, inf)
            del left[place]
        taken += merging.take()
    told = [times[Place(one.topic, one.partition), one.offset] for one in taken]
    assert told == sorted(times.values())


def test_what_is_not_wanted_moves_on_all_the_same() -> None:
    one, other = PLACES[:2]
    merging = Merging([one, other])
    merging.reach(one, 5.0, first := change(one, 0))
    assert merging.take() == []
    merging.reach(other, 5.0)
    assert merging.take() == [first]


def test_a_partition_stays_in_its_order_whatever_the_clocks_say() -> None:
    one, other = PLACES[:2]
    merging = Merging([one, other])
    changes = [change(one, offset) for offset in range(3)]
    for at, found in zip((9.0, 2.0, 5.0), changes, strict=True):
        merging.reach(one, at, found)
    merging.reach(other, inf)
    merging.reach(one, inf)
    assert merging.take() == changes


def test_what_is_ahead_need_not_be_read_on() -> None:
    one, other = PLACES[:2]
    merging = Merging([one, other])
    merging.reach(one, 5.0, change(one, 0, size=2**20))
    assert merging.take() == []
    assert merging.ahead == {one}
    merging.reach(other, 5.0, change(other, 0, size=2**20))
    assert len(merging.take()) == 2
    assert merging.ahead == set()
