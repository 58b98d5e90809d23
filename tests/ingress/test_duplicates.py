"""The bounded memory of accepted events."""

from ingress.duplicates import RecentlyAccepted

SECOND_US = 1_000_000


def test_a_duplicate_is_known_within_its_window_and_forgotten_after() -> None:
    recently = RecentlyAccepted(10)
    assert recently.first("k", 0) is None
    recently.remember("k", 5, 1000)
    found = recently.first("k", 5 + SECOND_US - 1)
    assert found is not None
    assert found.received_at == 5
    assert recently.first("k", 5 + SECOND_US) is None
    assert len(recently) == 0


def test_a_duplicate_does_not_prolong_the_window() -> None:
    recently = RecentlyAccepted(10)
    recently.remember("k", 0, 1000)
    recently.remember("k", SECOND_US // 2, 1000)
    assert recently.first("k", SECOND_US) is None


def test_without_a_window_nothing_is_remembered() -> None:
    recently = RecentlyAccepted(10)
    recently.remember("k", 0, 0)
    assert len(recently) == 0


def test_a_day_of_load_stays_bounded_and_the_oldest_goes_first() -> None:
    recently = RecentlyAccepted(100)
    for number in range(1000):
        recently.remember(str(number), number, 24 * 3_600_000)
    assert len(recently) == 100
    assert recently.first("899", 1000) is None
    assert recently.first("900", 1000) is not None
