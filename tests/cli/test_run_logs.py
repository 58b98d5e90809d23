"""`hopline run logs`."""

import orjson

from tests.cli.api import RUN_ID, CannedApi
from tests.cli.conftest import Hopline

LINE = {
    "timestamp": "2026-11-18T11:06:40.123456Z", "level": "ERROR", "source": "error",
    "text": "it\nbroke\x1b[2J", "title": "Pay", "node_id": "pay",
}  # fmt: skip


def test_lines_are_shown_with_time_level_and_node(hopline: Hopline, api: CannedApi) -> None:
    api.says(f"GET /api/v1/runs/{RUN_ID}/logs", {"data": [LINE], "next_cursor": None})
    result = hopline("run", "logs", RUN_ID, "--node", "pay")
    assert result.exit_code == 0
    assert result.stdout.startswith("11:06:40.123 ERROR Pay: it\nbroke")
    assert "\x1b[2J" not in result.stdout
    assert api.seen[-1].query == {"limit": "1000", "node_id": "pay"}


def test_all_pages_as_json(hopline: Hopline, api: CannedApi) -> None:
    api.says(f"GET /api/v1/runs/{RUN_ID}/logs", {"data": [LINE], "next_cursor": None})
    result = hopline("run", "logs", RUN_ID, "--json")
    assert orjson.loads(result.stdout) == [LINE]


def test_a_run_that_there_is_not(hopline: Hopline, api: CannedApi) -> None:
    api.refuses(f"GET /api/v1/runs/{RUN_ID}/logs", 404, "no run has the id")
    result = hopline("run", "logs", RUN_ID)
    assert result.exit_code == 1
    assert "no run has the id" in result.stderr
