from hypothesis import given
from hypothesis import strategies as st

from streams.shell.due import DueHeap


def test_keys_come_out_when_their_time_has_come_earliest_first() -> None:
    heap = DueHeap()
    for due, key in [(30.0, "c"), (10.0, "a"), (20.0, "b")]:
        heap.push(due, key)
    assert heap.next == 10.0
    assert heap.pop(9.9, 10) == []
    assert heap.pop(20.0, 10) == ["a", "b"]
    assert heap.next == 30.0


def test_a_turn_is_bounded() -> None:
    heap = DueHeap()
    for number in range(5):
        heap.push(float(number), str(number))
    assert heap.pop(100.0, 2) == ["0", "1"]
    assert heap.pop(100.0, 0) == []
    assert heap.pop(100.0, 9) == ["2", "3", "4"]
    assert heap.next is None


def test_outdated_entries_do_not_pile_up() -> None:
    heap = DueHeap()
    rows = {"a": b"99"}
    for due in range(2000):
        heap.push(float(due), "a")
    assert heap.bloated(len(rows))
    heap.rebuild(iter(rows.items()), lambda key, value: float(value))
    assert len(heap) == 1
    assert heap.next == 99.0
    assert not heap.bloated(len(rows))


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.floats(0, 100))), st.floats(0, 100))
def test_a_rebuilt_heap_holds_each_row_with_a_due_time_once(
    rows: dict[str, float | None], now: float
) -> None:
    heap = DueHeap()
    heap.rebuild(((key, b"") for key in rows), lambda key, value: rows[key])
    expected = {key for key, due in rows.items() if due is not None and due <= now}
    popped = heap.pop(now, 1000)
    assert sorted(popped) == sorted(expected)
