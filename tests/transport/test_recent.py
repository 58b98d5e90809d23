"""What is remembered, and what goes."""

from transport.recent import Recent


def test_those_go_that_were_not_asked_for_longest() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert recent.get("a") == 1
    assert recent.keep("c", 3) == 3
    assert [key for key in "abc" if key in recent] == ["a", "c"]
    assert recent.get("b") is None


def test_looking_for_one_is_not_asking_for_it() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.keep("a", 1)
    recent.keep("b", 2)
    assert "a" in recent
    recent.keep("c", 3)
    assert "a" not in recent


def test_a_heavy_one_takes_the_place_of_many_and_stays_while_it_is_the_last() -> None:
    recent: Recent[str, int] = Recent(10)
    recent.keep("a", 1, 4)
    recent.keep("b", 2, 4)
    recent.keep("c", 3, 6)
    assert [key for key in "abc" if key in recent] == ["b", "c"]
    recent.keep("d", 4, 100)
    assert [key for key in "abcd" if key in recent] == ["d"]
    recent.keep("e", 5, 10)
    assert [key for key in "abcde" if key in recent] == ["e"]
