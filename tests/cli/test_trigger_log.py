"""`hopline trigger-log`: what is shown, and what is told again."""

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

LOG = {
    "id": "l-1", "trigger_type": "WEBHOOK", "status": "STOPPED", "workflow_id": "wf-1", "elapsed_time": None,
    "created_at": "2026-01-01T00:00:00Z", "retry_count": 0, "error": "the trigger is paused",
}  # fmt: skip


def test_logs_are_listed_with_their_reasons(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/trigger-logs", {"data": [LOG], "next_cursor": None})
    result = hopline("trigger-log", "list", "--workflow", "order-review", "--status", "stopped")
    assert result.exit_code == 0, result.output
    assert "the trigger is paused" in result.stdout
    [asked] = [seen for seen in api.seen if seen.path == "/api/v1/trigger-logs"]
    assert (asked.query["workflow_id"], asked.query["status"]) == ("wf-1", "STOPPED")


def test_one_is_shown_whole(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/trigger-logs/l-1", LOG)
    result = hopline("trigger-log", "show", "l-1")
    assert '"the trigger is paused"' in result.stdout


def test_an_event_is_told_again_with_other_inputs(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/trigger-logs/l-1/reinvoke", {"workflow_run_id": "r-2"}, 202)
    result = hopline("trigger-log", "reinvoke", "l-1", "--inputs", '{"a": 1, "b": 2}', "-i", "b=x")
    assert (result.exit_code, result.stdout.strip()) == (0, "r-2")
    assert api.seen[-1].json == {"inputs": {"a": 1, "b": "x"}}
