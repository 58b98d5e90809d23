"""One contract for every way of keeping rows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark, MemoryRows, Rows


def at(offset: int) -> Mark:
    return Mark(offset, Epoch(3, 7))


@pytest.fixture(params=["memory", "rocksdb"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    made: dict[str, Callable[[], Rows]] = {
        "memory": MemoryRows,
        "rocksdb": lambda: RocksRows(tmp_path / "table"),
    }
    return made[request.param]()


def test_an_opened_partition_is_empty(rows: Rows) -> None:
    assert rows.open(0) is None
    assert rows.get(0, "a") is None
    assert list(rows.items(0)) == []


def test_writes_and_their_offset_are_there_together(rows: Rows) -> None:
    rows.open(0)
    rows.apply(0, [("a", b"1"), ("b", b"2"), ("a", b"3"), ("c", b""), ("b", None)], at(41))
    assert rows.get(0, "a") == b"3"
    assert rows.get(0, "b") is None
    assert dict(rows.items(0)) == {"a": b"3", "c": b""}
    assert rows.open(0) == at(41)


def test_partitions_are_apart(rows: Rows) -> None:
    for partition in (0, 1):
        rows.open(partition)
        rows.apply(partition, [("a", b"%d" % partition)], at(partition))
    assert [rows.get(0, "a"), rows.get(1, "a")] == [b"0", b"1"]
    rows.close(0)
    assert rows.get(1, "a") == b"1"


def test_their_size_is_known_without_reading_them(rows: Rows) -> None:
    rows.open(0)
    assert rows.size(0).rows == 0
    rows.apply(0, [(f"key-{number}", bytes(100)) for number in range(50)], at(49))
    size = rows.size(0)
    assert size.rows == 50
    assert size.size_bytes >= 50 * 100
    rows.clear(0)
    assert rows.size(0).rows == 0


def test_in_memory_it_is_exact(tmp_path: Path) -> None:
    rows = MemoryRows()
    rows.open(0)
    rows.apply(0, [("a", bytes(10)), ("b", bytes(10)), ("a", bytes(3)), ("b", None), ("c", None)], at(4))
    assert rows.size(0) == (1, len("a") + 3)


def test_cleared_rows_are_read_again_from_the_start(rows: Rows) -> None:
    rows.open(0)
    rows.apply(0, [("a", b"1")], at(7))
    rows.clear(0)
    assert rows.get(0, "a") is None
    assert rows.open(0) is None


def test_only_an_offset_may_be_recorded(rows: Rows) -> None:
    rows.open(0)
    rows.apply(0, [], at(9))
    assert rows.open(0) == at(9)
    assert list(rows.items(0)) == []


def test_rocksdb_survives_closing_and_memory_does_not(tmp_path: Path) -> None:
    kept: list[Rows] = [RocksRows(tmp_path / "t"), MemoryRows()]
    for rows in kept:
        rows.open(3)
        rows.apply(3, [("ä", b"1")], at(5))
        rows.close(3)
    assert [rows.open(3) for rows in kept] == [at(5), None]
    assert RocksRows.get(kept[0], 3, "ä") == b"1"  # type: ignore[arg-type]


def test_epochs_are_ordered_by_the_changelog_and_then_by_the_generation() -> None:
    epochs = [Epoch(0, 9), Epoch(5, 1), Epoch(5, 2), Epoch(40, 1)]
    assert sorted(epochs) == epochs
    assert [Epoch.decode(epoch.encode()) for epoch in epochs] == epochs
