"""One row for each number of live runs, one column for each way to start."""

from bench.recovery import table
from bench.timers.starts import EMPTY, KILLED, STOPPED, Start


def test_a_row_for_each_size() -> None:
    starts = {EMPTY: Start(30, 25, 20, 300), STOPPED: Start(3, 0.5, 2, 180), KILLED: Start(5, 1, 2.5, 181)}
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table({1000: starts}).splitlines()
    ]
    assert rows[2:] == [["1,000", "3.0 s (0.5; 2.0)", "5.0 s (1.0; 2.5)", "30.0 s (25.0; 20.0)", "180"]]
