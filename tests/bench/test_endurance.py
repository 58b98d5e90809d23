"""What a window is judged by, and what is shown of the whole."""

from dataclasses import replace

from bench.endurance.figures import curves, table
from bench.endurance.history import Recorded
from bench.endurance.measure import Endured
from bench.endurance.parts import FRONT, KAFKA, PARTS, WORKER
from bench.endurance.posting import Window
from bench.endurance.window import SINK, WORKERS, State
from bench.procs import Usage

WINDOW = Window("end-0123456789", 0.0, 1000, 100.0, 1000, {}, 2.0, 9.0, frozenset(), {})
RECORDED = Recorded(1000, 1000, 0, 1000, 4000, 20.0, 90.0)


def state(number: int) -> State:
    """Each window costs the worker 1 s, Kafka 2 s and the rest 3 s."""
    usage = {part: Usage(number * cost, 0) for part, cost in ((WORKER, 1.0), (KAFKA, 2.0), (FRONT, 3.0))}
    mb = dict.fromkeys(PARTS, 100.0 + number)
    return State(usage, mb, mb, {WORKERS: 10 * number, SINK: 7}, 1.5)


def endured(count: int) -> Endured:
    return Endured([state(n) for n in range(count + 1)], [WINDOW] * count, [RECORDED] * count, quiet=True)


def test_only_each_order_once_node_by_node_is_right() -> None:
    assert RECORDED.faults(WINDOW) == []
    for wrong in (
        replace(RECORDED, runs=999, orders=999, succeeded=999, nodes=3996),
        replace(RECORDED, runs=1001, succeeded=1001, nodes=4004),
        replace(RECORDED, succeeded=999),
        replace(RECORDED, nodes=3999),
    ):
        assert len(wrong.faults(WINDOW)) == 1


def test_what_was_refused_may_be_there_and_is_a_fault_of_the_whole() -> None:
    window = replace(WINDOW, accepted=999, refusals={"503": 1}, unanswered=frozenset(["o-7"]))
    there = replace(RECORDED, unanswered=1)
    assert there.faults(window) == []
    assert len(RECORDED.faults(window)) == 1
    assert len(Endured([state(0), state(1)], [window], [there], quiet=True).faults) == 1
    assert len(endured(1)._replace(quiet=False).faults) == 1


def test_rows_have_the_cost_of_their_own_windows() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table(endured(5), each_s=300.0).splitlines()[2:]
    ]
    assert [row[:6] for row in rows] == [
        ["1,000", "1.5", "6.00", "1.00", "2.00", "3.00"],
        ["2,000", "1.5", "6.00", "1.00", "2.00", "3.00"],
        ["4,000", "1.5", "6.00", "1.00", "2.00", "3.00"],
        ["5,000", "1.5", "6.00", "1.00", "2.00", "3.00"],
    ]
    assert [row[6:10] for row in rows] == [
        ["303", "303", "10", "7"],
        ["306", "306", "20", "7"],
        ["312", "312", "40", "7"],
        ["315", "315", "50", "7"],
    ]


def test_each_curve_has_a_value_for_each_window() -> None:
    drawn = curves(endured(3), each_s=30.0)
    assert [one.minutes for one in drawn] == [[0.5, 1.0, 1.5]] * len(drawn)
    assert {len(values) for one in drawn for values in one.series.values()} == {3}
    assert drawn[0].series == {WORKER: [1.0] * 3, KAFKA: [2.0] * 3, FRONT: [3.0] * 3}
