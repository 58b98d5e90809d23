"""`hopline workflow deploy`, `pause` and the like: what is asked, and what is shown."""

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

DEPLOYMENT = {
    "workflow_id": "wf-1",
    "deployment_status": "DEPLOYED",
    "version": "2026-01-01 00:00:00.000000",
    "triggers": [
        {"id": "t-1", "type": "SCHEDULE", "node_id": "n1", "name": "", "index_key": "t-1", "status": "ACTIVE",
         "deployment_status": "DEPLOYED"},
    ],
    "history": [
        {"id": "d-1", "action": "deploy", "version": "", "deployment_status": "DEPLOYED", "errors": [],
         "triggers": ["t-1"], "created_by": "ada", "started_at": "2026-01-01T00:00:00Z", "finished_at": None},
    ],
    "updated_at": "2026-01-01T00:00:00Z",
}  # fmt: skip
CONTROL = {"workflow_id": "wf-1", "paused": "hold", "rate_limit": None, "debounce": None, "batch": None,
           "throttle": {"key": "event.body.customer", "limit": 1, "period_s": 2, "burst": 1}}  # fmt: skip


def test_deploy_shows_the_triggers(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/deployment/workflows/wf-1/deploy", DEPLOYMENT)
    result = hopline("workflow", "deploy", "order-review", "--version", "v1")
    assert result.exit_code == 0, result.output
    assert api.seen[-1].json == {"version": "v1"}
    assert "t-1" in result.stdout


def test_status_shows_what_was_tried(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/deployment/workflows/wf-1/status", DEPLOYMENT)
    result = hopline("workflow", "status", "order-review")
    assert result.exit_code == 0, result.output
    assert "ada" in result.stdout


def test_a_deployment_that_fails_is_1_with_its_problems(hopline: Hopline, api: CannedApi) -> None:
    detail = "the workflow cannot be deployed: 1 problem(s)"
    row = {"node": "n1", "field": "config.cron", "why": "is no cron expression"}
    problem = {"title": "Unprocessable Entity", "detail": detail, "errors": [row]}
    api.says("POST /api/v1/deployment/workflows/wf-1/deploy", problem, 422)
    result = hopline("workflow", "deploy", "order-review")
    assert result.exit_code == 1
    assert "is no cron expression" in result.stderr


def test_pause_says_what_becomes_of_events(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/workflows/wf-1/pause", CONTROL)
    result = hopline("workflow", "pause", "order-review", "--events", "hold")
    assert result.exit_code == 0, result.output
    assert api.seen[-1].json == {"events": "hold"}
    assert "events are held" in result.stdout


def test_flow_control_is_shown_and_set(hopline: Hopline, api: CannedApi) -> None:
    path = "/api/v1/workflows/wf-1/flow-control"
    api.says(f"GET {path}", CONTROL)
    api.says(f"PUT {path}", CONTROL)
    assert "limit 1, period_s 2" in hopline("workflow", "flow-control", "order-review").stdout
    limits = '{"throttle": {"limit": 1, "period_s": 2}}'
    assert hopline("workflow", "flow-control", "order-review", "--set", limits).exit_code == 0
    assert (api.seen[-1].method, api.seen[-1].json) == ("PUT", {"throttle": {"limit": 1, "period_s": 2}})
