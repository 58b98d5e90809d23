import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.shell.errors import OffsetGap
from streams.shell.offsets import MOST_OPEN, Offsets, TopicPartition
from transport.committed import Commit

TP = TopicPartition("t", 0)


def _delivered(start: int, count: int) -> Offsets:
    offsets = Offsets()
    offsets.start(TP, Commit(start))
    offsets.deliver(TP, range(start, start + count))
    return offsets


def test_nothing_is_committed_beyond_the_smallest_unfinished_offset() -> None:
    offsets = _delivered(0, 14)
    for offset in [*range(5), *range(6, 14)]:
        offsets.finish(TP, offset)
    [commit] = offsets.to_commit().values()
    assert (commit.offset, commit.done) == (5, set(range(6, 14)))
    offsets.finish(TP, 5)
    assert offsets.to_commit() == {TP: Commit(14)}
    assert offsets.unfinished() == 0


@given(st.integers(0, 1000), st.permutations(range(30)), st.integers(0, 30))
def test_what_is_committed_is_done_and_what_comes_after_is_not(
    start: int, order: list[int], finished: int
) -> None:
    offsets = _delivered(start, 30)
    done = {start + each for each in order[:finished]}
    for offset in order[:finished]:
        offsets.finish(TP, start + offset)
    commit = offsets.to_commit().get(TP, Commit(start))
    assert all(offset in done for offset in range(start, commit.offset))
    assert commit.offset not in done
    assert commit.done == {offset for offset in done if offset > commit.offset}
    assert commit.records == start + finished
    assert offsets.unfinished() == 30 - finished


@given(st.permutations(range(30)), st.integers(0, 30), st.lists(st.integers(1, 30), max_size=5))
def test_who_takes_over_does_the_rest_and_nothing_else(
    order: list[int], finished: int, sizes: list[int]
) -> None:
    before = _delivered(0, 30)
    for offset in order[:finished]:
        before.finish(TP, offset)
    commit = before.to_commit().get(TP, Commit(0))
    after, left, end = Offsets(), set[int](), commit.offset
    after.start(TP, commit)
    for size in sizes:
        portion = range(end, min(30, end + size))
        after.deliver(TP, portion)
        left |= {offset for offset in portion if not after.is_finished(TP, offset)}
        end = portion.stop
    assert left == set(order[finished:]).intersection(range(end))
    assert after.unfinished() == len(left)
    assert after.to_commit().get(TP, commit).records == commit.records, "what was done stays done"
    for offset in left:
        after.finish(TP, offset)
    assert after.to_commit().get(TP, commit).offset >= end


def test_the_ordered_case_finishes_a_whole_batch() -> None:
    offsets = _delivered(10, 5)
    offsets.finish_through(TP, 12)
    assert offsets.to_commit() == {TP: Commit(13)}


def test_a_commit_is_asked_for_once() -> None:
    offsets = _delivered(0, 3)
    assert offsets.to_commit() == {}
    offsets.finish_through(TP, 2)
    offsets.committed(offsets.to_commit().items())
    assert offsets.to_commit() == {}


@pytest.mark.parametrize("delivery", [[1], [0, 2], [0, 1, 3], [0, 0]])
def test_a_gap_or_a_repeat_is_refused_and_changes_nothing(delivery: list[int]) -> None:
    offsets = Offsets()
    offsets.start(TP, Commit(0))
    with pytest.raises(OffsetGap):
        offsets.deliver(TP, delivery)
    assert offsets.unfinished() == 0


def test_a_gap_between_two_deliveries_is_refused() -> None:
    offsets = _delivered(0, 3)
    with pytest.raises(OffsetGap, match="expected offset 3, got 4"):
        offsets.deliver(TP, [4])


def test_all_is_done_that_was_there_at_the_beginning() -> None:
    offsets = Offsets()
    offsets.start(TP, Commit(5), 7)
    offsets.start(TopicPartition("another", 0), Commit(0), 9)
    offsets.deliver(TP, [5, 6, 7])
    offsets.start(TopicPartition(TP.topic, 1), Commit(3), 3)
    offsets.finish_through(TP, 5)
    assert offsets.caught_up(TP.topic) == {1}
    offsets.finish_through(TP, 6)
    assert offsets.caught_up(TP.topic) == {0, 1}
    assert offsets.caught_up("another") == frozenset()


def test_a_record_that_takes_long_lets_only_so_many_go_ahead() -> None:
    other = TopicPartition("t", 1)
    offsets = _delivered(0, MOST_OPEN)
    offsets.start(other, Commit(0))
    offsets.deliver(other, range(100))
    assert offsets.crowded == {TP}
    for offset in range(1, MOST_OPEN):
        offsets.finish(TP, offset)
    assert offsets.crowded == {TP}, "they are all done again if this process dies"
    offsets.finish(TP, 0)
    assert offsets.crowded == set()
