"""What is made of the times of runs."""

from math import isnan

from bench.latency import figures, panels, table
from bench.load import Posted
from bench.measure import Phase
from bench.peers.hopline import Times
from bench.procs import Usage


def phase(finished: dict[str, float], *, accepted: int = 3) -> Phase:
    """Three orders, a second apart."""
    posted = Posted(
        began_at=100,
        sent_at={"o-0": 100.0, "o-1": 101.0, "o-2": 102.0},
        ack_ms={f"o-{number}": 4.0 for number in range(accepted)},
        refused={f"o-{number}": "503" for number in range(accepted, 3)},
    )
    return Phase(
        "o", posted, finished, Usage(0.012, 0), {order: at - 0.008 for order, at in finished.items()}
    )


def test_each_step_is_timed_from_the_one_before() -> None:
    times = {f"o-{n}": Times(100.001 + n, 100.003 + n, 100.006 + n, 100.016 + n) for n in range(3)}
    load = figures(10, 1.0, phase({order: at.recorded for order, at in times.items()}), times)
    assert [round(ms, 2) for ms in load.stages] == [1, 2, 3, 2, 8]
    assert round(load.safe_p50_ms, 2) == 8
    assert round(load.e2e_p50_ms, 2) == 16
    assert (load.ack_p99_ms, load.cpu_ms_per_run) == (4, 4)
    assert (load.sent_per_s, load.runs, load.unfinished, load.refusals) == (1, 3, 0, {})


def test_what_is_missing_is_told() -> None:
    load = figures(80, 1.0, phase({}, accepted=2), {})
    assert (load.runs, load.unfinished, load.refusals) == (0, 2, {"503": 1})
    assert isnan(load.e2e_p50_ms)
    assert all(isnan(ms) for ms in (*load.stages, load.cpu_ms_per_run))


def test_table_and_picture_have_a_row_for_each_load() -> None:
    times = {
        "o-0": Times(100.001, 100.003, 100.006, 100.016),
        "o-1": Times(101.001, 101.003, 101.006, 101.03),
    }
    loads = [
        figures(share, 1.0, phase({order: at.recorded for order, at in times.items()}), times)
        for share in (1, 80)
    ]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table(loads).splitlines()]
    assert [row[0] for row in rows[2:]] == ["1 %", "80 %"]
    assert rows[2][1:8] == ["1.00", "4.00", "4.00", "15", "22", "23", "30"]
    assert (rows[0][-1], rows[2][-1]) == ("CPU ms/run", "6.00")
    assert [[bar.label for bar in panel.bars] for panel in panels(loads)] == [["1 %", "80 %"]] * 4
