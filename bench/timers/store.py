"""`python -m bench.timers.store --rows 1000000`: what a run costs a table of the worker, in CPU time.

The same steps on a table of so many rows with due times, and on one that had none, in turn: what else the
machine does falls on both alike. A run of one hop looks for a key that is not there, and writes it with a due
time; each turn asks what is due.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from uuid import uuid4

from streams.run_rows import RunRow, row_due
from streams.shell.rocks import RocksRows, new_cache
from streams.shell.stage import Decision, Stage
from streams.shell.table import Table

_PARTITIONS = 12
_AT_ONCE = 500
_ROUNDS = 60
_A_TURN = 20
"""Runs that are decided before it is asked again what is due."""
_FAR_S = 4e9
_STATE = bytes(range(32, 127)) * 12
"""About as long as the state of a run that waits."""


class Kept:
    """A table with its offsets."""

    def __init__(self, folder: Path) -> None:
        stage = Stage("bench", "run.commands", lambda *_: Decision(), table="runs", due=row_due)
        self.table = Table(stage, RocksRows(folder, cache=new_cache()))
        self._ends = dict.fromkeys(range(_PARTITIONS), 0)
        for partition in self._ends:
            self.table.open(partition, 0, 0, 1)

    def write(self, partition: int, count: int) -> None:
        """So many new rows that are due one day."""
        end = self._ends[partition]
        rows = [(str(uuid4()), RunRow(_FAR_S + end + n, b"", _STATE).encode()) for n in range(count)]
        self.table.confirm(partition, rows, list(range(end, end + count)))
        self._ends[partition] = end + count

    def turn(self, partition: int) -> None:
        """One turn with some runs."""
        self.table.due(time.time(), 1000, self._ends)
        for _ in range(_A_TURN):
            assert self.table.get(partition, str(uuid4())) is None
        self.write(partition, _A_TURN)
        assert self.table.next_due(self._ends) is not None


def main() -> None:
    """Prints the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.timers.store", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hopline-store-") as home:
        kept = {0: Kept(Path(home) / "none"), given.rows: Kept(Path(home) / "all")}
        for batch in range(given.rows // _AT_ONCE):
            kept[given.rows].write(batch % _PARTITIONS, _AT_ONCE)
        us: dict[int, list[float]] = {rows: [] for rows in kept}
        for number in range(_ROUNDS * _PARTITIONS):
            for rows, one in kept.items():
                began = time.thread_time_ns()
                one.turn(number % _PARTITIONS)
                us[rows].append((time.thread_time_ns() - began) / 1000 / _A_TURN)
        for rows, spent in us.items():
            print(f"{rows:>9,} rows: {median(spent):.1f} us of CPU per run")


if __name__ == "__main__":
    main()
