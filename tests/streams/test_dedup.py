"""The window of a duplicate, judged by arrival times."""

from streams.dedup import Lag, Seen, first_seen, postponed, row_due

SECOND = 1_000_000


def test_a_row_survives_its_encoding() -> None:
    seen = Seen(3, 2**40, 5, 6)
    assert Seen.decode(seen.encode()) == seen


def test_the_window_counts_from_the_arrival_of_the_first() -> None:
    seen = first_seen(0, 7, received_at=100 * SECOND, window_ms=30_000, now_us=500 * SECOND)
    assert seen.covers(129 * SECOND)
    assert not seen.covers(130 * SECOND)


def test_a_row_tells_its_record_from_those_before_and_behind_it() -> None:
    seen = first_seen(2, 7, 0, 1000, 0)
    told = {at: (seen.is_replay(*at), seen.is_later(*at)) for at in ((2, 7), (2, 6), (2, 8), (1, 7), (1, 6))}
    assert told == {
        (2, 7): (True, False), (2, 6): (False, True), (2, 8): (False, False), (1, 7): (False, False),
        (1, 6): (False, False),
    }  # fmt: skip


def test_the_lag_is_the_longest_of_what_may_not_be_committed_yet() -> None:
    lag = Lag()
    lag.note(received_at=0, now_us=20 * SECOND)
    lag.note(received_at=25 * SECOND, now_us=25 * SECOND)
    assert lag.us(29 * SECOND) == 20 * SECOND, "one that is on time says nothing of those before it"
    assert lag.us(30 * SECOND) == 0
    lag.note(received_at=26 * SECOND, now_us=31 * SECOND)
    assert lag.us(31 * SECOND) == 5 * SECOND


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
