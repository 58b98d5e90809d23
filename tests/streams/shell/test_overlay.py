"""What a stage sees of its rows while a turn is decided."""

from collections.abc import Iterator
from itertools import count

import pytest

from streams.shell.overlay import Overlay
from streams.shell.rows import MemoryRows
from streams.shell.stage import Decision, Stage
from streams.shell.table import Table


@pytest.fixture
def table() -> Table:
    table = Table(Stage("s", "t", lambda *_: Decision(), "table"), MemoryRows())
    table.open(0, 0, 0, 1)
    table.confirm(0, [("r", b""), *((f"r/{n}", b"old") for n in range(4)), ("s/0", b"old")], list(range(6)))
    return table


def test_a_write_is_seen_at_once_and_a_deletion_too(table: Table) -> None:
    overlay = Overlay(table)
    overlay.write(0, {"r": b"new", "r/1": None})
    assert overlay.of(0).get("r") == b"new"
    assert overlay.of(0).get("r/1") is None
    assert overlay.of(0).get("r/2") == b"old"
    assert table.get(0, "r") == b""


def test_keys_that_belong_together_are_those_kept_and_those_written_in_order(table: Table) -> None:
    overlay = Overlay(table)
    overlay.write(0, {"r/1": None, "r/15": b"new", "t/0": b"new", "s": b"new"})
    overlay.write(0, {"r/3": b"new", "r/9": b"new"})
    assert overlay.of(0).under("r/") == ["r/0", "r/15", "r/2", "r/3", "r/9"]
    assert overlay.of(0).under("s/") == ["s/0"]
    assert overlay.of(0).under("t/") == ["t/0"]
    assert overlay.of(0).under("u/") == []


@pytest.mark.parametrize("most", range(7))
def test_the_first_of_them_are_the_first_of_all(table: Table, most: int) -> None:
    overlay = Overlay(table)
    overlay.write(0, {"r/0": None, "r/15": b"new", "r/9": b"new"})
    view = overlay.of(0)
    assert view.under("r/", most) == view.under("r/")[:most]


def test_the_first_of_many_cost_no_more_than_the_first(table: Table) -> None:
    class Endless(MemoryRows):
        def under(self, partition: int, prefix: str) -> Iterator[str]:
            return (f"{prefix}{n:09}" for n in count())

    endless = Table(Stage("s", "t", lambda *_: Decision(), "table"), Endless())
    assert Overlay(endless).of(0).under("r/", 2) == ["r/000000000", "r/000000001"]


def test_rows_that_belong_together_are_written_one_after_the_other(table: Table) -> None:
    overlay = Overlay(table)
    overlay.write(0, {"r": b"1", "q": b"1", "r/0": b"1"})
    assert [key for key, _ in overlay.writes()[0]] == ["r", "r/0", "q"]


def test_without_a_table_nothing_is_kept() -> None:
    overlay = Overlay(None)
    assert overlay.of(0).get("r") is None
    assert overlay.of(0).under("r/") == []
    overlay.write(0, {})
    with pytest.raises(ValueError, match="without a table"):
        overlay.write(0, {"r": b""})
    assert overlay.writes() == {}
