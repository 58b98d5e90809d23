"""What the bench of analytics says of its figures."""

from pathlib import Path

import orjson

from bench.analytics.report import summary, told
from bench.report import save

DOCUMENT = {
    "queries": {
        "1. What?": {"seconds": 0.0123, "rows_read": 1_000},
        "2. When?": {"seconds": 0.5, "rows_read": 2_000_000},
    },
    "rollups": {"rows": 12_345, "different": 0},
    "tables": {"workflow_node_execution_changes": {"rows": 50_000_000, "bytes": 4_200_000_000, "parts": 9}},
    "seconds": {"generated": 900.1, "rolled_up": 300.2},
    "plan": {"runs": 10_000_000, "seed": 1, "repetitions": 5},
    "machine": {"at": "2026-11-21T23:00:00+00:00", "cores": 2},
}


def test_the_last_line_names_the_slowest_query() -> None:
    lines = summary(DOCUMENT).splitlines()
    assert lines[-1] == "slowest: 0.500 s, 2. When?"
    assert lines[1] == "1. What?    0.012       1000"


def test_the_page_is_told_how_many_figures_are_wrong() -> None:
    wrong = {**DOCUMENT, "rollups": {"rows": 12_345, "different": 6}}
    assert "Of 12,345 rows of rollups 6 differ" in told(wrong).replace("\n", " ")
    assert told(DOCUMENT).endswith("| 2. When? | 0.500 | 2,000,000 |\n")


def test_the_file_is_what_was_measured(tmp_path: Path) -> None:
    save(tmp_path / "results" / "analytics.json", DOCUMENT)
    assert orjson.loads((tmp_path / "results" / "analytics.json").read_bytes()) == DOCUMENT
    assert [file.name for file in (tmp_path / "results").iterdir()] == ["analytics.json"]
