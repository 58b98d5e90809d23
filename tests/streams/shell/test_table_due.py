"""Rows of a table that are due: fairly over its partitions, and never lost between two looks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.shell.rocks import RocksRows
from streams.shell.rows import MemoryRows, Rows
from streams.shell.stage import Decision, Stage
from streams.shell.table import Table


def _until(key: str, value: bytes) -> float | None:
    return float(value) if value else None


@pytest.fixture(params=["memory", "rocksdb"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    made: dict[str, Callable[[], Rows]] = {
        "memory": MemoryRows,
        "rocksdb": lambda: RocksRows(tmp_path / "table"),
    }
    return Table(Stage("s", "t", lambda *_: Decision(), "table", due=_until), made[request.param]())


def filled(table: Table, *partitions: int, rows: int, due: bytes = b"10") -> None:
    for partition in partitions:
        table.open(partition, 0, 0, 1)
        table.confirm(partition, [(f"{partition}/{n}", due) for n in range(rows)], list(range(rows)))


def test_a_partition_with_many_keeps_no_other_waiting(table: Table) -> None:
    filled(table, 0, rows=500)
    filled(table, 1, 2, rows=5)
    named = table.due(10.0, 30, table.partitions)
    assert len(named) == 20
    assert {partition for partition, _ in named} == {0, 1, 2}


def test_what_was_named_comes_no_more_when_it_was_served(table: Table) -> None:
    filled(table, 0, rows=2)
    assert len(table.due(10.0, 9, table.partitions)) == 2
    table.confirm(0, [("0/0", None), ("0/1", b"50")], [2, 3])
    table.served(10.0, 11.0)
    assert table.due(49.0, 9, table.partitions) == []
    assert table.due(50.0, 9, table.partitions) == [(0, "0/1")]


def test_what_could_not_be_served_comes_again(table: Table) -> None:
    filled(table, 0, rows=1)
    assert table.due(10.0, 9, table.partitions) == [(0, "0/0")]
    table.served(10.0, 11.0)
    assert table.due(10.9, 9, table.partitions) == []
    assert table.next_due(table.partitions) == 11.0
    assert table.due(11.0, 9, table.partitions) == [(0, "0/0")]


def test_what_is_served_but_stays_due_comes_when_it_was_asked_for_or_after_a_restart(table: Table) -> None:
    filled(table, 0, rows=2)
    assert len(table.due(10.0, 9, table.partitions)) == 2
    table.served(10.0, 11.0, {(0, "0/1"): 60.0})
    assert table.due(59.0, 9, table.partitions) == [(0, "0/0")]
    assert table.due(60.0, 9, table.partitions) == [(0, "0/1")]


def test_what_a_dropped_turn_has_named_comes_again_with_the_next_assignment(table: Table) -> None:
    """The worker was thought dead while it served, and got the same partition back: it was never closed."""
    filled(table, 0, rows=1)
    assert table.due(10.0, 9, table.partitions) == [(0, "0/0")]
    assert table.due(10.0, 9, table.partitions) == []
    table.open(0, 0, 1, 2)
    assert table.due(10.0, 9, table.partitions) == [(0, "0/0")]


def test_a_partition_that_is_gone_is_not_due(table: Table) -> None:
    filled(table, 0, 1, rows=1)
    assert len(table.due(10.0, 9, table.partitions)) == 2
    table.close(0)
    table.served(10.0, 11.0)
    assert table.due(11.0, 9, table.partitions) == [(1, "1/0")]
