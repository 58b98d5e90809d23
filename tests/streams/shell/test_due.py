"""One contract for every queue of due times, in memory and beside rows on disk."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.shell.due import Due, DueHeap, DueQueue
from streams.shell.rocks import RocksRows
from streams.shell.rows import Epoch, Mark, MemoryRows, Rows

FAR = 10.0**9


def due_of(key: str, value: bytes) -> float | None:
    return float(value) if value else None


@pytest.fixture(params=["memory", "rocksdb"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> Rows:
    made: dict[str, Callable[[], Rows]] = {
        "memory": MemoryRows,
        "rocksdb": lambda: RocksRows(tmp_path / "table"),
    }
    rows = made[request.param]()
    rows.open(0)
    return rows


def queue_of(rows: Rows) -> DueQueue:
    return rows.queue(0, due_of)


def write(rows: Rows, *dues: tuple[float, str]) -> None:
    """Rows that are due then."""
    queue_of(rows)
    writes = [(key, str(at).encode()) for at, key in dues]
    rows.apply(0, writes, Mark(1, Epoch(0, 1)), [Due(*due) for due in dues])


def test_rows_come_out_when_their_time_has_come_the_earliest_first(rows: Rows) -> None:
    write(rows, (30.0, "c"), (10.0, "a"), (20.0, "b"))
    queue = queue_of(rows)
    assert queue.next == 10.0
    assert queue.pop(9.9, 10) == []
    assert queue.pop(20.0, 10) == [(10.0, "a"), (20.0, "b")]
    assert queue.next == 30.0


def test_a_turn_is_bounded(rows: Rows) -> None:
    write(rows, *((float(number), str(number)) for number in range(5)))
    queue = queue_of(rows)
    assert [due.key for due in queue.pop(100.0, 2)] == ["0", "1"]
    assert queue.pop(100.0, 0) == []
    assert [due.key for due in queue.pop(100.0, 9)] == ["2", "3", "4"]
    assert queue.next is None


def test_a_row_without_a_due_time_is_never_due(rows: Rows) -> None:
    rows.apply(0, [("a", b"")], Mark(1, Epoch(0, 1)))
    assert queue_of(rows).next is None


def test_what_is_pushed_comes_again_in_its_turn(rows: Rows) -> None:
    write(rows, (10.0, "a"), (30.0, "c"))
    queue = queue_of(rows)
    queue.pop(10.0, 1)
    queue.push(Due(20.0, "a"))
    assert queue.next == 20.0
    assert queue.pop(40.0, 9) == [(20.0, "a"), (30.0, "c")]


def test_rows_that_were_there_before_the_queue_are_in_it(rows: Rows) -> None:
    rows.apply(0, [("a", b"10"), ("b", b""), ("c", b"5")], Mark(2, Epoch(0, 1)))
    assert queue_of(rows).pop(100.0, 9) == [(5.0, "c"), (10.0, "a")]


def test_cleared_rows_are_not_due(rows: Rows) -> None:
    write(rows, (10.0, "a"))
    rows.clear(0)
    assert queue_of(rows).next is None


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_many_rows_in_any_order(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """More than are kept in memory, entered while others come out: each once, none late, none early."""
    kinds: list[Callable[[], Rows]] = [
        MemoryRows,
        lambda: RocksRows(tmp_path_factory.mktemp("due") / "table"),
    ]
    for make in kinds:
        rows = make()
        rows.open(0)
        queue = queue_of(rows)
        pending: set[tuple[float, str]] = set()
        now = 0.0
        for turn in range(data.draw(st.integers(2, 6), label="turns")):
            count = data.draw(st.sampled_from([1, 50, 700, 2500]), label="rows")
            spread = data.draw(st.sampled_from([0, 7, 400]), label="spread")
            dues = [(now + number * 7919 % (spread + 1), f"{turn}-{number}") for number in range(count)]
            write(rows, *dues)
            pending |= set(dues)
            now += data.draw(st.sampled_from([0, 5, 250]), label="later")
            limit = data.draw(st.sampled_from([10, 600, 10_000]), label="limit")
            popped = [tuple(due) for due in queue.pop(now, limit)]
            expected = sorted(due for due in pending if due[0] <= now)[:limit]
            assert [at for at, _ in popped] == [at for at, _ in expected]
            assert pending.issuperset(popped)
            pending -= set(popped)
            queue.settle(Due(*due) for due in popped)
        assert {tuple(due) for due in queue.pop(FAR, 10**6)} == pending
        rows.close(0)


def test_outdated_entries_do_not_pile_up_in_memory() -> None:
    heap, rows = DueHeap(due_of), {"a": b"99"}
    for due in range(2000):
        heap.enter([Due(float(due), "a")], rows)
    assert len(heap) < 1100
    heap.rebuild(rows)
    assert (len(heap), heap.next) == (1, 99.0)
