"""Medians, ratios, and what can't be measured."""

from dataclasses import replace
from pathlib import Path

import orjson

from bench import report
from bench.measure import Plan, Repetition, percentile

_ONE = Repetition(
    runs_per_s=1000, cpu_ms_per_run=1.5, ack_p50_ms=3, safe_p50_ms=5, safe_p99_ms=9,
    e2e_p50_ms=20, e2e_p99_ms=50, peak_pss_mb=900,
    accepted_per_s=1100, ack_p50_loaded_ms=30, written_kb_per_run=4, runs=12_000, unfinished=0,
)  # fmt: skip


def test_file_has_the_medians_under_each_name(tmp_path: Path) -> None:
    measured = {
        "hopline": [replace(_ONE, runs_per_s=rate) for rate in (900, 1000, 1200)],
        "restate": [replace(_ONE, runs_per_s=500)],
    }
    report.write(tmp_path / "results" / "latest.json", measured, {"dbos": "needs psql"}, Plan())
    found = orjson.loads((tmp_path / "results" / "latest.json").read_bytes())
    assert found["hopline"]["runs_per_s"] == 1000
    assert found["hopline"]["min"]["runs_per_s"] == 900
    assert found["hopline"]["max"]["runs_per_s"] == 1200
    assert len(found["hopline"]["repetitions"]) == 3
    assert found["restate"]["peak_pss_mb"] == 900
    assert found["skipped"] == {"dbos": "needs psql"}
    assert found["machine"]["cores"] >= 1


def test_table_shows_by_how_much_the_first_is_better() -> None:
    other = replace(_ONE, runs_per_s=500, cpu_ms_per_run=3, e2e_p99_ms=float("nan"))
    document = {"hopline": report.summary([_ONE]), "restate": report.summary([other])}
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in report.table(document, ["hopline", "restate"]).splitlines()
    ]
    assert rows[2][:3] == ["hopline", "1,000 (1,000 to 1,000)", "1.50"]
    assert rows[4][1:] == ["2.00 x", "2.00 x", *(["1.00 x"] * 4), "-", "1.00 x"]
    assert rows[3][7] == "-"


def test_percentile_interpolates() -> None:
    assert percentile([float(n) for n in range(101)], 50) == 50
    assert percentile([0.0, 10.0], 99) == 9.9
    assert percentile([1.0], 50) != percentile([1.0], 50), "NaN, since one value has no percentiles"
