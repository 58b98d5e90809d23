"""Many runs at once: `hopline run replay|cancel|resume --all`."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from tests.cli.api import RUN, CannedApi, Seen
from tests.cli.conftest import Hopline

FAILED = [{**RUN, "id": f"r{n}", "status": "FAILED", "error": "timed\tout"} for n in range(3)]
BULK = "2026-03-01T12:00:00Z"


@pytest.fixture
def failing(api: CannedApi) -> CannedApi:
    """Three failed runs, on two pages."""
    pages = [{"data": FAILED[:2], "next_cursor": "more"}, {"data": FAILED[2:], "next_cursor": None}]
    api.answers["GET /api/v1/runs"] = [(200, page) for page in pages]
    for run in FAILED:
        for verb in ("replay", "cancel", "resume"):
            api.says(f"POST /api/v1/runs/{run['id']}/{verb}", {"workflow_run_id": f"new-{run['id']}"}, 202)
    return api


def lists(api: CannedApi) -> list[dict[str, str]]:
    return [seen.query for seen in api.seen if seen.path == "/api/v1/runs"]


def told(api: CannedApi) -> list[Seen]:
    return [seen for seen in api.seen if seen.method == "POST"]


@pytest.mark.parametrize(("verb", "done"), [("replay", "replayed"), ("resume", "resumed")])
def test_failed_runs_are_told_one_by_one(hopline: Hopline, failing: CannedApi, verb: str, done: str) -> None:
    result = hopline("run", verb, "--all", "--bulk", BULK)
    assert (result.exit_code, result.stdout) == (0, f"{done} 3 of 3\n")
    assert result.stderr == f"bulk {BULK}\n"
    assert [seen.path for seen in told(failing)] == [f"/api/v1/runs/r{n}/{verb}" for n in range(3)]
    keys = [seen.headers["Idempotency-Key"] for seen in told(failing)]
    assert keys == [f"bulk/r{n}/{BULK}" for n in range(3)]
    page = {"status": "FAILED", "until": BULK, "limit": "1000"}
    assert lists(failing) == [page, {**page, "cursor": "more"}]


def test_those_that_were_told_before_are_counted(hopline: Hopline, failing: CannedApi) -> None:
    failing.says("POST /api/v1/runs/r2/resume", {"workflow_run_id": "old", "duplicate": True})
    assert hopline("run", "resume", "--all").stdout == "resumed 3 of 3, 1 of them before\n"


def test_the_filter_is_that_of_the_api(hopline: Hopline, failing: CannedApi) -> None:
    options = ["--workflow", "order-review", "--status", "stopped", "--error", "timed out"]
    options += [
        "--where",
        "input.a=1",
        "--min-tokens",
        "5",
        "--of-version",
        "draft",
        "--trigger-type",
        "email",
    ]
    times = ["--since", "2026-01-01T01:00:00+01:00", "--until", "2026-02-01"]
    assert hopline("run", "replay", "--all", *options, *times).exit_code == 0
    assert lists(failing)[0] == {
        "workflow_id": "wf-1",
        "status": "STOPPED",
        "error": "timed out",
        "where": "input.a=1",
        "min_tokens": "5",
        "version": "draft",
        "trigger_type": "EMAIL",
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-02-01T00:00:00Z",
        "limit": "1000",
    }


def test_a_time_may_be_a_span(hopline: Hopline, failing: CannedApi) -> None:
    before = datetime.now(UTC)
    hopline("run", "replay", "--all", "--since", "2h")
    query = lists(failing)[0]
    since, until = (datetime.fromisoformat(query[name]) for name in ("since", "until"))
    assert before <= since + timedelta(hours=2) <= until <= datetime.now(UTC)
    wrong = hopline("run", "replay", "--all", "--since", "lately")
    assert wrong.exit_code == 2
    assert "'lately' is no time like" in wrong.stderr


def test_what_is_under_way_is_cancelled(hopline: Hopline, failing: CannedApi) -> None:
    assert hopline("run", "cancel", "--all").stdout == "cancelled 3 of 3\n"
    assert {query["status"] for query in lists(failing)} == {"RUNNING,PAUSED"}


def test_a_dry_run_tells_nobody(hopline: Hopline, failing: CannedApi) -> None:
    result = hopline("run", "resume", "--all", "--dry-run")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[:3] for row in rows[1:]] == [[f"r{n}", "order-review", "FAILED"] for n in range(3)]
    assert rows[1][4] == "timed\\tout"
    assert result.stderr == "3 would be resumed\n"
    assert told(failing) == []
    failing.answers["GET /api/v1/runs"] = (200, {"data": FAILED, "next_cursor": None})
    assert orjson.loads(hopline("run", "resume", "--all", "--dry-run", "--json").stdout) == FAILED


def test_one_that_fails_does_not_keep_the_others(hopline: Hopline, failing: CannedApi) -> None:
    failing.refuses("POST /api/v1/runs/r1/resume", 409, "node a is gone")
    result = hopline("run", "resume", "--all", "--version", "latest", "--bulk", BULK, "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout) == {
        "bulk": BULK,
        "resumed": [{"workflow_run_id": "new-r0"}, {"workflow_run_id": "new-r2"}],
        "failed": ["r1: node a is gone"],
    }
    assert "1 could not be resumed, the first: r1: node a is gone" in result.stderr
    assert f"--bulk {BULK}" in result.stderr
    assert {seen.json["version"] for seen in told(failing)} == {"latest"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("cancel",), "name a run by its id, or say --all"),
        (("cancel", "r1", "--all"), "name a run by its id, or say --all"),
        (("replay", "r1", "--error", "x"), "name a run by its id, or say --all"),
        (("replay", "--error", "x"), "name a run by its id, or say --all"),
        (("replay", "--all", "--wait"), "--wait is for one run"),
        (("resume", "--all", "--action", "yes"), "an answer is for one run"),
        (("resume", "--all", "--status", "paused"), "runs that are PAUSED cannot be resumed: only FAILED"),
        (("cancel", "--all", "--status", "paused", "--status", "failed"), "runs that are FAILED cannot be"),
        (("cancel", "--all", "--where", "colour"), "'colour' is no condition like"),
        (("cancel", "r1", "--where", "input.a=1"), "name a run by its id, or say --all"),
        (("cancel", "--all", "--status", "failed"), "cannot be cancelled: only RUNNING or PAUSED"),
    ],
)
def test_wrong_usage(hopline: Hopline, failing: CannedApi, args: tuple[str, ...], said: str) -> None:
    result = hopline("run", *args)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert told(failing) == []


def test_a_failed_run_is_resumed_without_an_answer(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/runs/r1", {**FAILED[1], "pauses": []})
    answer = {"workflow_run_id": "new", "resumed_from": "r1", "version": "v2", "duplicate": False}
    api.says("POST /api/v1/runs/r1/resume", answer, 202)
    result = hopline("run", "resume", "r1", "--version", "v2")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "new\n", "")
    assert told(api)[0].json == {"inputs": {}, "version": "v2"}
    api.says("POST /api/v1/runs/r1/resume", {**answer, "duplicate": True})
    again = hopline("run", "resume", "r1", "--version", "v2")
    assert (again.stdout, again.stderr) == ("new\n", "r1 was resumed by this run before\n")
