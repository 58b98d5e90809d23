"""The window of a duplicate, judged by arrival times."""

from streams.dedup import Seen, first_seen, postponed, row_due

SECOND = 1_000_000


def test_a_row_survives_its_encoding() -> None:
    seen = Seen(3, 2**40, 5, 6)
    assert Seen.decode(seen.encode()) == seen


def test_the_window_counts_from_the_arrival_of_the_first() -> None:
    seen = first_seen(0, 7, received_at=100 * SECOND, window_ms=30_000, now_us=500 * SECOND)
    assert seen.covers(129 * SECOND)
    assert not seen.covers(130 * SECOND)


def test_a_replay_of_the_first_record_or_of_an_earlier_one_is_no_duplicate() -> None:
    seen = first_seen(2, 7, 0, 1000, 0)
    assert seen.is_replay(2, 7)
    assert seen.is_replay(2, 6)
    assert not seen.is_replay(2, 8)
    assert not seen.is_replay(1, 7)


def test_a_row_made_late_is_kept_for_the_late_duplicates() -> None:
    row = first_seen(0, 0, received_at=0, window_ms=30_000, now_us=3600 * SECOND).encode()
    assert row_due("key", row) == 3640


def test_a_row_goes_when_nothing_lags_and_stays_while_something_does() -> None:
    row = Seen(1, 2, 30 * SECOND, 30 * SECOND).encode()
    assert postponed(row, now_us=40 * SECOND, lag_us=1000) is None
    kept = postponed(row, now_us=40 * SECOND, lag_us=60 * SECOND)
    assert kept is not None
    assert Seen.decode(kept) == Seen(1, 2, 30 * SECOND, 100 * SECOND)


def test_a_duplicate_that_is_decided_again_after_a_crash_finds_the_row() -> None:
    """It came at the end of the window, and its offset was not committed when that had passed."""
    row = first_seen(0, 0, received_at=0, window_ms=30_000, now_us=0).encode()
    assert row_due("key", row) == 40
