"""The hour in a table of ten-minute rows, and as curves."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from statistics import median

from bench import report
from bench.curves import Curves
from bench.endurance.measure import Endured
from bench.endurance.parts import PARTS
from bench.endurance.window import SINK, WORKERS
from bench.plot import short

_ROW_S = 600.0


def table(endured: Endured, each_s: float) -> str:
    """Markdown. The first window has a row of its own: the JVM still compiles."""
    heads = [
        "runs so far", "load of the machine", "CPU ms/run", *(f"of it {part}" for part in PARTS),
        "PSS MB", "disk MB", "worker behind", "sink behind", "ack p50 ms", "p99", "end to end p50 ms", "p99",
    ]  # fmt: skip
    some = max(1, round(_ROW_S / each_s))
    count = len(endured.windows)
    cuts = [0, 1, *range(some, count, some), count]
    ranges = [(first, last) for first, last in pairwise(cuts) if first < last]
    return report.markdown(heads, [_row(endured, first, last) for first, last in ranges])


def curves(endured: Endured, each_s: float) -> list[Curves]:
    """What is drawn of it."""
    states, windows, there = endured.states, endured.windows, endured.recorded
    at = [number * each_s / 60 for number in range(1, len(states))]
    cost = [_cpu_ms(endured, number, number + 1) for number in range(len(windows))]
    return [
        Curves("CPU ms per run", at, _by_part(lambda part: [one[part] for one in cost])),
        Curves("memory, PSS in MB", at, _by_part(lambda part: [state.pss_mb[part] for state in states[1:]])),
        Curves(
            "messages behind",
            at,
            {name: [state.lag[name] for state in states[1:]] for name in (WORKERS, SINK)},
        ),
        Curves(
            "end to end, ms",
            at,
            {"p50": [one.e2e_p50_ms for one in there], "p99": [one.e2e_p99_ms for one in there]},
        ),
        Curves(
            "acknowledgement, ms",
            at,
            {"p50": [one.ack_p50_ms for one in windows], "p99": [one.ack_p99_ms for one in windows]},
        ),
        Curves("on disk, MB", at, _by_part(lambda part: [state.disk_mb[part] for state in states[1:]])),
        Curves("load of the machine", at, {"runnable": [state.load_1m for state in states[1:]]}),
    ]


def _row(endured: Endured, first: int, last: int) -> Sequence[str]:
    windows, there = endured.windows[first:last], endured.recorded[first:last]
    states, end = endured.states[first + 1 : last + 1], endured.states[last]
    cpu_ms = _cpu_ms(endured, first, last)
    runs = list(accumulate(window.accepted for window in endured.windows))[last - 1]
    return [
        f"{runs:,}",
        f"{median(state.load_1m for state in states):.1f}",
        f"{sum(cpu_ms.values()):.2f}",
        *(f"{cpu_ms[part]:.2f}" for part in PARTS),
        f"{sum(end.pss_mb.values()):,.0f}",
        f"{sum(end.disk_mb.values()):,.0f}",
        *(f"{max(state.lag[group] for state in states):,}" for group in (WORKERS, SINK)),
        short(median(window.ack_p50_ms for window in windows)),
        short(median(window.ack_p99_ms for window in windows)),
        short(median(one.e2e_p50_ms for one in there)),
        short(median(one.e2e_p99_ms for one in there)),
    ]


def _cpu_ms(endured: Endured, first: int, last: int) -> Mapping[str, float]:
    """Of a run in these windows, by part."""
    before, after = endured.states[first].usage, endured.states[last].usage
    runs = sum(window.accepted for window in endured.windows[first:last])
    return {part: (after[part] - before[part]).cpu_s * 1000 / max(runs, 1) for part in PARTS}


def _by_part(values_of: Callable[[str], Sequence[float]]) -> Mapping[str, Sequence[float]]:
    return {part: values_of(part) for part in PARTS}
