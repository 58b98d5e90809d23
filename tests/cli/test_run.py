"""`hopline run`: inputs, waiting, drawing."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest

from tests.cli.api import RUN, RUN_ID, CannedApi
from tests.cli.conftest import Hopline

STARTED = {"trigger_id": "m", "duplicate": False, "event_id": "e", "workflow_run_id": RUN_ID}
NODE = {
    "index": 1, "node_id": "n1", "predecessor_node_id": None, "title": "Order", "node_type": "start",
    "status": "succeeded", "elapsed_time": 0.001, "error": None,
}  # fmt: skip
VARIABLES = [
    {"variable": "title", "type": "text-input"},
    {"variable": "amount", "type": "number"},
    {"variable": "urgent", "type": "checkbox"},
    {"variable": "extra", "type": "json_object"},
    {"variable": "doc", "type": "file"},
    {"variable": "docs", "type": "file-list"},
]


@pytest.fixture
def startable(api: CannedApi) -> CannedApi:
    graph = {"nodes": [{"id": "n1", "data": {"type": "start", "variables": VARIABLES}}]}
    api.says("GET /api/v1/workflows/wf-1", {"graph": graph})
    api.says("POST /api/v1/triggers/workflows/wf-1/manual", STARTED, 202)
    api.says(f"GET /api/v1/runs/{RUN_ID}", RUN)
    api.says(f"GET /api/v1/runs/{RUN_ID}/nodes", {"data": [NODE]})
    return api


def sent(api: CannedApi) -> Any:
    return next(seen.json for seen in api.seen if seen.path.endswith("/manual"))


def test_start_prints_the_run_id(hopline: Hopline, startable: CannedApi) -> None:
    result = hopline("run", "start", "order-review")
    assert (result.exit_code, result.stdout) == (0, f"{RUN_ID}\n")
    assert sent(startable) == {"inputs": {}, "version": ""}


def test_inputs_have_the_types_of_the_start_node(hopline: Hopline, startable: CannedApi) -> None:
    pairs = ("title=12", "amount=4.5", "urgent=true", 'extra={"a": [1]}')
    options = [part for pair in pairs for part in ("--input", pair)]
    all_inputs = '{"title": "loses", "more": 1}'
    hopline("run", "start", "order-review", "--draft", "--inputs", all_inputs, *options)
    expected = {"title": "12", "amount": 4.5, "urgent": True, "extra": {"a": [1]}, "more": 1}
    assert sent(startable) == {"inputs": expected, "version": "draft"}
    assert startable.seen[1].query == {"version": "draft"}


def test_a_turn_of_a_conversation(hopline: Hopline, startable: CannedApi) -> None:
    started = {**STARTED, "conversation_id": "c-1"}
    startable.says("POST /api/v1/triggers/workflows/wf-1/manual", started, 202)
    result = hopline("run", "start", "order-review", "--query", "hello", "--conversation", "c-1")
    assert (result.stdout, result.stderr) == (f"{RUN_ID}\n", "conversation c-1\n")
    assert sent(startable) == {"inputs": {}, "version": "", "query": "hello", "conversation_id": "c-1"}
    assert orjson.loads(hopline("run", "start", "order-review", "--json").stdout) == started


def test_files_are_uploaded(hopline: Hopline, startable: CannedApi, tmp_path: Path) -> None:
    startable.says("POST /api/v1/files", {"id": "f", "file": {"related_id": "f"}}, 201)
    (tmp_path / "a.csv").write_bytes(b"a,b\r\n")
    given = f"@{tmp_path}/a.csv"
    options = ["--input", f"doc={given}", "--input", f"docs={given}", "--input", 'docs=[{"url": "http://x"}]']
    result = hopline("run", "start", "order-review", *options)
    assert result.exit_code == 0, result.stderr
    file = {"related_id": "f"}
    assert sent(startable)["inputs"] == {"doc": file, "docs": [file, {"url": "http://x"}]}
    upload = next(seen for seen in startable.seen if seen.path == "/api/v1/files")
    assert b'name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\na,b\r\n\r\n--' in upload.body
    assert upload.headers["Content-Type"].startswith("multipart/form-data; boundary=")


def test_a_file_that_is_not_there(hopline: Hopline, startable: CannedApi) -> None:
    result = hopline("run", "start", "order-review", "--input", "doc=@/nowhere/a.csv")
    assert result.exit_code == 1
    assert "'doc': /nowhere/a.csv cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("pair", "said"), [("amount=much", "type number"), ("nobody=1", "it takes title, amount")]
)
def test_inputs_that_do_not_fit(hopline: Hopline, startable: CannedApi, pair: str, said: str) -> None:
    result = hopline("run", "start", "order-review", "--input", pair)
    assert result.exit_code == 1
    assert said in result.stderr


def test_wait_outlasts_the_sink_and_draws(hopline: Hopline, startable: CannedApi) -> None:
    missing = (404, {"detail": "no such run"})
    startable.answers[f"GET /api/v1/runs/{RUN_ID}"] = [
        missing,
        (200, {**RUN, "status": "RUNNING"}),
        (200, RUN),
    ]
    unfinished = {**NODE, "status": "running"}
    startable.answers[f"GET /api/v1/runs/{RUN_ID}/nodes"] = [
        (200, {"data": []}),
        (200, {"data": [unfinished]}),
        (200, {"data": [NODE]}),
    ]
    result = hopline("run", "start", "order-review", "--wait")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"SUCCEEDED  12 ms  run {RUN_ID}",
        "└── Order  start  succeeded  1.0 ms",
    ]


def test_wait_for_a_run_that_fails(hopline: Hopline, startable: CannedApi) -> None:
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "status": "FAILED", "error": "n1: no"})
    result = hopline("run", "start", "order-review", "--wait", "--json")
    assert result.exit_code == 1
    assert orjson.loads(result.stdout)["nodes"] == [NODE]
    assert result.stderr == f"hopline: run {RUN_ID} has ended FAILED: n1: no\n"


def test_a_start_is_confirmed(hopline: Hopline, startable: CannedApi) -> None:
    assert hopline("run", "start", "order-review", "--confirmed").exit_code == 0
    assert startable.seen[-1].json["confirmed"] is True


def test_wait_is_bounded(hopline: Hopline, startable: CannedApi) -> None:
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "status": "RUNNING"})
    result = hopline("run", "start", "order-review", "--wait", "--timeout", "0.3")
    assert result.exit_code == 1
    assert "has not ended within 0.3 s" in result.stderr


def test_wait_passes_a_refusal_on(hopline: Hopline, startable: CannedApi) -> None:
    startable.refuses(f"GET /api/v1/runs/{RUN_ID}", 503, "the history is away")
    result = hopline("run", "start", "order-review", "--wait")
    assert (result.exit_code, result.stderr) == (1, "hopline: the history is away\n")


def test_list(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/runs", {"data": [RUN, {**RUN, "workflow_id": "deleted"}]})
    result = hopline("run", "list", "--status", "succeeded", "--workflow", "order-review", "--limit", "2")
    listed = next(seen for seen in api.seen if seen.path == "/api/v1/runs")
    assert listed.query == {"workflow_id": "wf-1", "status": "SUCCEEDED", "limit": "2"}
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[1] for row in rows[1:]] == ["order-review", "deleted"]


def test_a_list_is_searched_as_the_api_is(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/runs", {"data": []})
    options = [
        "--status",
        "failed,stopped",
        "--status",
        "paused",
        "--where",
        "input.a=1",
        "--where",
        "output~x",
    ]
    options += ["--since", "2026-01-01", "--min-duration", "1.5", "--created-by", "ada", "--app", "a"]
    assert hopline("run", "list", *options, "--workflow", "wf-1,order-review").exit_code == 0
    [asked] = [seen.raw_query for seen in api.seen if seen.path == "/api/v1/runs"]
    assert sorted(parse_qsl(asked)) == [
        ("app_id", "a"),
        ("created_by", "ada"),
        ("limit", "20"),
        ("min_duration", "1.5"),
        ("since", "2026-01-01T00:00:00Z"),
        ("status", "FAILED,STOPPED,PAUSED"),
        ("where", "input.a=1"),
        ("where", "output~x"),
        ("workflow_id", "wf-1"),
    ]


@pytest.mark.parametrize(
    ("option", "why"),
    [
        (("--status", "done"), "status is one of RUNNING"),
        (("--where", "a=1"), "'a=1' is no condition like"),
        (("--min-tokens", "many"), "min_tokens is a number of tokens"),
        (("--since", "lately"), "'lately' is no time"),
        (("--statsu", "FAILED"), "No such option"),
    ],
)
def test_a_search_that_is_none_is_wrong_usage(
    hopline: Hopline, api: CannedApi, option: tuple[str, str], why: str
) -> None:
    result = hopline("run", "list", *option)
    assert result.exit_code == 2
    assert why in " ".join(result.stderr.split())


def test_show_and_replay(hopline: Hopline, startable: CannedApi) -> None:
    assert "Order" in hopline("run", "show", RUN_ID).stdout
    startable.says("POST /api/v1/runs/old/replay", STARTED, 202)
    assert hopline("run", "replay", "old").stdout == f"{RUN_ID}\n"


def test_a_replay_may_have_other_inputs(hopline: Hopline, startable: CannedApi) -> None:
    run = {**RUN, "id": "old", "workflow_id": "wf-1", "version": "v"}
    startable.says("GET /api/v1/runs/old", run)
    startable.says("POST /api/v1/runs/old/replay", STARTED, 202)
    hopline("run", "replay", "old", "--inputs", '{"title": "x", "amount": 1}', "-i", "amount=2.5")
    assert startable.seen[-1].json == {"inputs": {"title": "x", "amount": 2.5}}


def test_cancel(hopline: Hopline, api: CannedApi) -> None:
    api.says("POST /api/v1/runs/r1/cancel", {"id": "r1"}, 202)
    assert hopline("run", "cancel", "r1").stdout == "asked r1 to stop\n"


PAUSE = {
    "id": "p1",
    "pause_expires_at": 1_800_000_000,
    "pause_metadata": {
        "node_id": "ask",
        "node_title": "Ask",
        "message": "Is it fine?\nLook twice.",
        "inputs_schema": {
            "grade": {"type": "number", "required": True},
            "kind": {"type": "select", "options": ["a", "b"]},
        },
        "actions": [{"id": "yes", "title": "Yes"}],
    },
}


def test_a_paused_run_shows_what_it_asks(hopline: Hopline, startable: CannedApi) -> None:
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "status": "PAUSED", "pauses": [PAUSE]})
    shown = hopline("run", "show", RUN_ID).stdout
    assert "waits at Ask until 2027-01-15 08:00:00 UTC, pause p1" in shown
    assert "  | Look twice." in shown
    assert "  grade: number\n  kind: select (a, b), optional\n  actions: yes (Yes)" in shown


def test_resume_sends_the_fields_in_their_types(hopline: Hopline, startable: CannedApi) -> None:
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "status": "PAUSED", "pauses": [PAUSE]})
    startable.says(f"POST /api/v1/runs/{RUN_ID}/resume", {"workflow_run_id": RUN_ID, "pause_id": "p1"}, 202)
    result = hopline("run", "resume", RUN_ID, "--action", "yes", "-i", "grade=4", "-i", "kind=a")
    assert (result.exit_code, result.stdout) == (0, f"{RUN_ID}\n")
    body = next(seen.json for seen in startable.seen if seen.path.endswith("/resume"))
    assert body == {"inputs": {"grade": 4, "kind": "a"}, "action": "yes"}
    unknown = hopline("run", "resume", RUN_ID, "-i", "colour=red")
    assert unknown.exit_code == 1
    assert "grade, kind" in unknown.stderr


def test_what_no_pause_asks_for_is_left_to_the_api(hopline: Hopline, startable: CannedApi) -> None:
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "pauses": []})
    problem = {"title": "Conflict", "detail": "the run waits for no answer, it is SUCCEEDED"}
    startable.says(f"POST /api/v1/runs/{RUN_ID}/resume", problem, 409)
    result = hopline("run", "resume", RUN_ID, "-i", "grade=4")
    assert result.exit_code == 1
    assert "waits for no answer" in result.stderr


def test_a_run_that_waits_for_a_moment_shows_which_and_why(hopline: Hopline, startable: CannedApi) -> None:
    moment = {"type": "scheduling_pause", "node_id": "nap", "node_title": "Nap", "message": "before the mail"}
    pause = {**PAUSE, "pause_metadata": {**moment, "resume_at": 1_800_000_000, "reason": "quota"}}
    startable.says(f"GET /api/v1/runs/{RUN_ID}", {**RUN, "status": "PAUSED", "pauses": [pause]})
    startable.says(f"POST /api/v1/runs/{RUN_ID}/resume", {"workflow_run_id": RUN_ID, "pause_id": "p1"}, 202)
    shown = hopline("run", "show", RUN_ID).stdout
    assert "waits at Nap until 2027-01-15 08:00:00 UTC, pause p1" in shown
    assert "| before the mail" in shown
    assert "reason: quota" in shown
    hopline("run", "resume", RUN_ID)
    body = next(seen.json for seen in startable.seen if seen.path.endswith("/resume"))
    assert body == {"inputs": {}}
