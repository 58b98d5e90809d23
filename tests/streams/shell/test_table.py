import pytest

from streams.shell.errors import ForeignWriter, StoreDamaged
from streams.shell.overlay import Overlay
from streams.shell.replay import Recovered
from streams.shell.rows import Epoch, Mark, MemoryRows, Write
from streams.shell.stage import Decision, Stage
from streams.shell.table import Table


def _until(key: str, value: bytes) -> float | None:
    return float(value) if value else None


def rows(writes: list[Write], epoch: Epoch | None = None, first: int = 0) -> list[Recovered]:
    return [Recovered(key, value, epoch, first + i) for i, (key, value) in enumerate(writes)]


@pytest.fixture
def table() -> Table:
    return Table(Stage("s", "t", lambda *_: Decision(), "dedup", due=_until), MemoryRows())


def test_recovery_starts_after_the_last_row_that_is_kept(table: Table) -> None:
    assert table.open(0, 0, 10, 1) == 0
    table.recover(0, rows([("a", b"1")]), 6)
    assert table.open(0, 0, 10, 1) == 7


@pytest.mark.parametrize(("earliest", "end"), [(8, 20), (0, 5)])
def test_rows_that_do_not_fit_the_changelog_are_forgotten(table: Table, earliest: int, end: int) -> None:
    """Removed by retention before we read on; or the topic was made anew and is shorter."""
    table.open(0, 0, 10, 1)
    table.recover(0, rows([("a", b"1")]), 6)
    assert table.open(0, earliest, end, 1) == earliest
    assert table.get(0, "a") is None


def test_own_writes_must_follow_each_other_in_the_changelog(table: Table) -> None:
    table.open(0, 0, 0, 1)
    table.confirm(0, [("a", b"1"), ("b", b"2")], [0, 1])
    with pytest.raises(ForeignWriter, match="expected offset 2, got 3"):
        table.confirm(0, [("a", b"3")], [3])
    assert table.get(0, "a") == b"1"


def test_a_row_is_due_at_its_last_due_time(table: Table) -> None:
    table.open(0, 0, 0, 1)
    table.confirm(0, [("a", b"10")], [0])
    table.confirm(0, [("a", b"20")], [1])
    assert table.due(15.0, 10, table.partitions) == [(0, "a")]
    assert not table.is_due("a", b"20", 15.0)
    assert table.due(20.0, 10, table.partitions) == [(0, "a")]
    assert table.is_due("a", b"20", 20.0)


def test_due_rows_are_found_again_when_a_partition_comes_back(table: Table) -> None:
    table.open(1, 0, 1, 1)
    table.recover(1, rows([("a", b"10"), ("b", b"")]), 0)
    table.close(1)
    assert table.next_due(table.partitions) is None
    table.open(1, 0, 1, 1)
    table.recover(1, rows([("a", b"10"), ("b", b"")]), 0)
    assert table.next_due(table.partitions) == 10.0
    assert table.due(10.0, 10, table.partitions) == [(1, "a")]


def test_a_row_whose_due_time_cannot_be_told_is_due(table: Table) -> None:
    table.open(0, 0, 1, 1)
    table.recover(0, rows([("a", b"soon")]), 0)
    assert table.due(0.0, 10, table.partitions) == [(0, "a")]
    assert table.is_due("a", b"soon", 0.0)


def test_decisions_of_a_turn_see_each_other_and_only_the_last_write_is_sent(table: Table) -> None:
    table.open(0, 0, 0, 1)
    table.confirm(0, [("a", b"1"), ("b", b"2")], [0, 1])
    overlay = Overlay(table)
    kept = overlay.of(0)
    overlay.write(0, {"a": b"3", "b": None})
    overlay.write(0, {"a": b"4", "c": b"5"})
    assert [kept.get(key) for key in "abcd"] == [b"4", None, b"5", None]
    assert table.get(0, "a") == b"1"
    assert overlay.writes() == {0: [("a", b"4"), ("b", None), ("c", b"5")]}
    sends = table.sends(0, overlay.writes()[0])
    assert [(send.topic, send.key, send.value, send.partition) for send in sends] == [
        ("changelog.dedup", b"a", b"4", 0),
        ("changelog.dedup", b"b", None, 0),
        ("changelog.dedup", b"c", b"5", 0),
    ]


def test_a_stage_without_a_table_keeps_nothing() -> None:
    assert Overlay(None).of(0).get("a") is None


def test_rows_of_a_worker_that_was_too_late_are_left_out_and_corrected(table: Table) -> None:
    """Frozen while it sent, voted out, and awake again after the next owner had gone on."""
    before, after = Epoch(0, 1), Epoch(2, 2)
    table.open(0, 0, 7, 3)
    table.recover(0, rows([("a", b"1"), ("b", b"2")], before), 1)
    table.recover(0, rows([("a", b"10"), ("c", b"30")], after, 2), 3)
    table.recover(0, rows([("a", b"5"), ("b", b"6"), ("c", b"7")], before, 4), 6)
    assert [table.get(0, key) for key in "abc"] == [b"10", b"2", b"30"]
    assert table.corrections(0) == [("a", b"10"), ("b", b"2"), ("c", b"30")]
    sends = table.sends(0, table.corrections(0))
    assert {send.headers for send in sends} == {(("epoch", b"7.3"),)}
    table.confirm(0, table.corrections(0), [7, 8, 9])
    assert table.corrections(0) == []


def test_a_late_row_that_was_overwritten_since_needs_no_correction(table: Table) -> None:
    table.open(0, 0, 3, 3)
    table.recover(0, rows([("a", b"10")], Epoch(2, 2)), 0)
    table.recover(0, rows([("a", b"5")], Epoch(0, 1), 1), 1)
    table.recover(0, rows([("a", b"11")], Epoch(2, 2), 2), 2)
    assert table.get(0, "a") == b"11"
    assert table.corrections(0) == []


def test_the_greatest_epoch_is_remembered_with_the_rows(table: Table) -> None:
    table.open(0, 0, 1, 1)
    table.recover(0, rows([("a", b"10")], Epoch(2, 2)), 0)
    table.open(0, 0, 2, 9)
    table.recover(0, rows([("a", b"5")], Epoch(0, 1), 1), 1)
    assert table.get(0, "a") == b"10"


def test_rows_that_belong_together_say_how_many_follow(table: Table) -> None:
    table.open(0, 0, 0, 1)
    overlay = Overlay(table)
    overlay.write(0, {"r": b"1", "r/a": b"2"})
    overlay.write(0, {"s": b"3"})
    overlay.write(0, {"r/b": None, "r": b"4"})
    sends = table.sends(0, overlay.writes()[0])
    assert [(send.key, send.value, dict(send.headers).get("more")) for send in sends] == [
        (b"r", b"4", b"2"),
        (b"r/a", b"2", b"1"),
        (b"r/b", None, None),
        (b"s", b"3", None),
    ]


def test_a_recovery_that_is_broken_off_begins_again_before_the_group(table: Table) -> None:
    table.open(0, 0, 9, 1)
    table.recover(0, [Recovered("r", b"1", None, 0), Recovered("r", b"2", None, 1, more=1)], 1)
    assert table.get(0, "r") == b"1"
    assert table.open(0, 0, 9, 2) == 1
    table.recover(0, [Recovered("r", b"2", None, 1, more=1), Recovered("r/a", b"3", None, 2)], 8)
    table.recovered(0, 8)
    assert (table.get(0, "r"), table.get(0, "r/a"), table.corrections(0)) == (b"2", b"3", [])
    assert table.open(0, 0, 9, 3) == 9


@pytest.fixture
def kept() -> MemoryRows:
    """Rows as a process before this one has left them, up to the offset 99."""
    rows = MemoryRows()
    rows.open(0)
    rows.apply(0, [("a", b"1"), ("lost", b"2")], Mark(99, Epoch(50, 3)))
    return rows


def restarted(kept: MemoryRows) -> Table:
    return Table(Stage("s", "t", lambda *_: Decision(), "dedup", due=_until), kept)


def test_the_last_row_that_was_kept_is_read_once_more_and_not_applied(kept: MemoryRows) -> None:
    table = restarted(kept)
    assert table.open(0, 0, 102, 4) == 99
    table.recover(0, rows([("a", b"0"), ("b", b"2")], Epoch(50, 3), 99), 100)
    table.recover(0, rows([("c", b"3")], Epoch(101, 4), 101), 101)
    table.recovered(0, 101)
    assert dict(table.items(0)) == {"a": b"1", "lost": b"2", "b": b"2", "c": b"3"}
    assert table.open(0, 0, 102, 5) == 102, "it was open before"


@pytest.mark.parametrize("last", [99, 140])
def test_rows_that_the_broker_has_lost_are_not_gone_on_with(kept: MemoryRows, last: int) -> None:
    """Its log was cut at 91, and another worker has written there since: as many rows again, or more."""
    table = restarted(kept)
    assert table.open(0, 0, last + 1, 5) == 99
    with pytest.raises(StoreDamaged, match="lost rows that were read up to 99: at 99 it goes on from 91"):
        table.recover(0, rows([("a", b"9")], Epoch(91, 4), 99), 99)
    again = restarted(kept)
    assert again.open(0, 0, last + 1, 5) == 0
    assert dict(again.items(0)) == {}


def test_a_broker_that_has_lost_rows_and_has_no_new_ones(kept: MemoryRows) -> None:
    table = restarted(kept)
    assert table.open(0, 0, 91, 4) == 0
    assert table.get(0, "lost") is None


def test_the_first_rows_that_retention_has_left_are_enough(kept: MemoryRows) -> None:
    assert restarted(kept).open(0, 100, 120, 4) == 100
