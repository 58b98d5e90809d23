"""`hopline stats`, against canned answers."""

from typing import Any

import orjson
import pytest

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

TIMES = {"p50": 0.12, "p95": 1.5, "p99": 61.0}
ANSWER: dict[str, Any] = {
    "service": "hopline", "total_workflows": 3, "published_workflows": 2, "total_triggers": 4,
    "trigger_types": {"SCHEDULE": 1, "WEBHOOK": 3},
    "deployments": {"deployed": 2, "succeeded": 5, "failed": 1, "average_s": 0.2},
    "history": {
        "since": "2026-05-05T10:00:00Z", "until": "2026-05-06T10:00:00Z",
        "runs": {
            "total": 20, "running": 1, "paused": 2, "succeeded": 14, "partial_succeeded": 0, "failed": 2,
            "stopped": 1, "failure_rate": 0.125, "retries": 3, "tokens": 900, "elapsed_s": TIMES,
            "queue_latency_s": None,
        },
        "triggers": {
            "WEBHOOK": {
                "total": 21, "pending": 0, "running": 1, "success": 17, "failed": 3, "stopped": 0,
                "duplicates": 1, "retries": 2,
            }
        },
        "nodes": {
            "total": 60, "failed": 2, "exceptions": 1, "retried": 3, "tokens": 900, "price": {"USD": 1.25}
        },
        "dead_letters": {"total": 4, "pending": 3, "replayed": 1},
    },
    "history_unavailable": None,
}  # fmt: skip


def test_counts_are_lines_and_a_table(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/stats", ANSWER)
    shown = hopline("stats").stdout
    for line in (
        "workflows  3, 2 published",
        "triggers   4: 1 SCHEDULE, 3 WEBHOOK",
        "runs             20: 1 running, 2 paused, 14 succeeded, 0 partial succeeded, 2 failed, 1 stopped",
        "failure rate     12.5%",
        "run time         p50 120 ms, p95 1.50 s, p99 1 min 1 s",
        "price            1.25 USD",
        "dead letters     4, 3 to be looked at",
        "WEBHOOK\t21\t0\t1\t17\t3\t0\t1\t2",
    ):
        assert line in shown, line
    assert "wait to start" not in shown


def test_as_json_they_are_what_the_api_says(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/stats", ANSWER)
    shown = hopline("stats", "--json", "--since", "2026-05-01T00:00:00Z").stdout
    assert orjson.loads(shown) == ANSWER
    assert api.seen[-1].query == {"since": "2026-05-01T00:00:00Z"}


def test_without_a_history_there_is_the_rest_and_why(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/stats", {**ANSWER, "history": None, "history_unavailable": "it is away"})
    result = hopline("stats")
    assert "workflows  3, 2 published" in result.stdout
    assert "no history: it is away" in result.stderr


@pytest.mark.parametrize("given", ["tomorrow", "2x"])
def test_a_time_that_is_none_is_wrong_usage(hopline: Hopline, api: CannedApi, given: str) -> None:
    result = hopline("stats", "--since", given)
    assert result.exit_code == 2
    assert "no time like" in result.stderr
