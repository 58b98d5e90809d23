"""How soon a fetch or a request follows the last."""

from transport.pace import Pace


def _after(records_per_s: float, *, fetch_s: float = 0.001, seconds: float = 2.0) -> tuple[Pace, float, int]:
    """A pace that has been kept so long, with a fetch whenever it allows one and a record is there; the time,
    and how many fetches there were."""
    pace, now, taken, fetches = Pace(3e-5, 0.03), 0.0, 0, 0
    while now < seconds:
        now += pace.wait_s(now)
        now = max(now, (taken + 1) / records_per_s) + fetch_s
        there = int(now * records_per_s) - taken
        taken, fetches = taken + there, fetches + 1
        pace.done(there, now)
    return pace, now, fetches


def test_what_comes_now_and_then_is_fetched_when_it_is_there() -> None:
    _, _, fetches = _after(50)
    assert fetches == 100


def test_a_busy_reader_leaves_the_distance_between_fetches() -> None:
    for rate in (1_000, 5_000, 20_000):
        _, _, fetches = _after(rate)
        assert fetches <= 95


def test_a_backlog_is_read_without_waiting() -> None:
    pace, now, _ = _after(5_000)
    pace.done(2_000, now)
    assert pace.wait_s(now) == 0


def test_an_empty_fetch_is_followed_at_once() -> None:
    pace, now, _ = _after(5_000)
    pace.done(0, now)
    assert pace.wait_s(now) == 0


def test_a_burst_is_forgotten() -> None:
    pace, now, _ = _after(5_000)
    pace.done(1, now + 3)
    assert pace.wait_s(now + 3) < 0.001
