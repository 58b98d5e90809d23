"""Due times on disk: what a restart finds, and how little of them is in memory."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rocksdict import AccessType, Options, Rdict, WriteBatch

from streams.shell.due import Due
from streams.shell.due_index import DueIndex, decode, encode
from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark


def due_of(key: str, value: bytes) -> float | None:
    return float(value)


def mark(offset: int) -> Mark:
    return Mark(offset, Epoch(0, 1))


@pytest.fixture
def rows(tmp_path: Path) -> RocksRows:
    return opened(tmp_path)


def opened(folder: Path) -> RocksRows:
    rows = RocksRows(folder / "table")
    rows.open(0)
    rows.queue(0, due_of)
    return rows


def write(rows: RocksRows, offset: int, *dues: tuple[float, str]) -> None:
    writes = [(key, str(at).encode()) for at, key in dues]
    rows.apply(0, writes, mark(offset), [Due(*due) for due in dues])


def all_of(rows: RocksRows) -> list[tuple[float, str]]:
    return [tuple(due) for due in rows.queue(0, due_of).pop(10.0**9, 10**6)]


@given(st.lists(st.tuples(st.floats(0, allow_nan=False), st.text(alphabet=st.characters(codec="utf-8")))))
def test_entries_sort_as_their_times_and_keys_do(dues: list[tuple[float, str]]) -> None:
    entries = [Due(at + 0.0, key) for at, key in dues]
    assert [decode(entry) for entry in sorted(map(encode, entries))] == sorted(entries)


def test_a_time_before_all_others_is_the_first(rows: RocksRows) -> None:
    write(rows, 1, (-5.0, "a"), (0.0, "b"))
    assert {key for _, key in all_of(rows)} == {"a", "b"}


def test_a_restart_finds_what_was_not_settled(tmp_path: Path, rows: RocksRows) -> None:
    write(rows, 1, (10.0, "a"), (20.0, "b"), (30.0, "c"))
    queue = rows.queue(0, due_of)
    queue.settle(queue.pop(10.0, 9))
    assert queue.pop(20.0, 9) == [(20.0, "b")]
    write(rows, 2, (40.0, "d"))
    rows.close(0)
    assert all_of(opened(tmp_path)) == [(20.0, "b"), (30.0, "c"), (40.0, "d")]


def test_what_is_settled_and_due_again_at_the_same_time_is_due(tmp_path: Path, rows: RocksRows) -> None:
    write(rows, 1, (10.0, "a"))
    queue = rows.queue(0, due_of)
    queue.settle(queue.pop(10.0, 9))
    write(rows, 2, (10.0, "a"))
    rows.close(0)
    assert all_of(opened(tmp_path)) == [(10.0, "a")]


def test_settled_entries_do_not_wait_for_writes_for_ever(tmp_path: Path, rows: RocksRows) -> None:
    write(rows, 1, *((float(number), str(number)) for number in range(2500)))
    queue = rows.queue(0, due_of)
    for _ in range(5):
        queue.settle(queue.pop(10.0**9, 500))
    rows.close(0)
    assert len(all_of(opened(tmp_path))) < 1500


def test_far_more_than_are_next_are_not_in_memory(rows: RocksRows) -> None:
    for begin in range(0, 20_000, 1000):
        write(rows, begin, *((float(number), f"{number:05}") for number in range(begin, begin + 1000)))
    queue = rows.queue(0, due_of)
    assert isinstance(queue, DueIndex)
    assert len(queue) < 4000
    assert queue.next == 0.0
    assert len(all_of(rows)) == 20_000


def test_rows_that_a_release_without_due_times_wrote_are_found(tmp_path: Path, rows: RocksRows) -> None:
    write(rows, 1, (10.0, "a"), (20.0, "b"))
    rows.close(0)
    del rows
    older = Rdict(str(tmp_path / "table" / "0"), Options(raw_mode=True), access_type=AccessType.read_write())
    batch = WriteBatch(raw_mode=True)
    batch.put(b"c", b"15")
    batch.put(b"\x00mark", b"2 0.1")
    older.write(batch)
    assert dict(older.items())[b"a"] == b"10.0"
    older.close()
    del older, batch
    assert all_of(opened(tmp_path)) == [(10.0, "a"), (15.0, "c"), (20.0, "b")]


def test_a_store_without_due_times_gets_them(tmp_path: Path) -> None:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    (tmp_path / "table").mkdir()
    older = Rdict(str(tmp_path / "table" / "0"), options, access_type=AccessType.read_write())
    older[b"a"], older[b"\x00mark"] = b"10", b"1 0.1"
    older.close()
    del older
    rows = RocksRows(tmp_path / "table")
    assert rows.open(0) == mark(1)
    assert all_of(rows) == [(10.0, "a")]
