"""One row and one bar for each setting and number of workers."""

from bench.measure import Repetition
from bench.scaling import panels, table


def repetition(runs_per_s: float) -> Repetition:
    return Repetition(
        runs_per_s=runs_per_s, cpu_ms_per_run=1.5, ack_p50_ms=3, safe_p50_ms=5, safe_p99_ms=9,
        e2e_p50_ms=20, e2e_p99_ms=50, peak_pss_mb=900, accepted_per_s=1100, ack_p50_loaded_ms=30,
        written_kb_per_run=4, runs=12_000, unfinished=0,
    )  # fmt: skip


def test_a_row_and_a_bar_for_each() -> None:
    measured = {("default", 1): repetition(1000), ("every node a hop", 2): repetition(510)}
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(measured).splitlines()]
    assert [row[:3] for row in rows[2:]] == [
        ["default, 1 worker", "1,000", "1.50"],
        ["every node a hop, 2 workers", "510", "1.50"],
    ]
    rate, cost = panels(measured)
    assert [(bar.label, bar.parts) for bar in rate.bars] == [
        ("default, 1 worker", [1000]),
        ("every node a hop, 2 workers", [510]),
    ]
    assert [bar.parts for bar in cost.bars] == [[1.5], [1.5]]
