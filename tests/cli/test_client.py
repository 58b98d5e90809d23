"""What a command says when the API refuses, is not there, or is something else."""

import socket
from pathlib import Path

import pytest

import cli.client
from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline


def test_sends_the_key_of_the_environment(hopline: Hopline, api: CannedApi) -> None:
    assert hopline("workflow", "list").exit_code == 0
    assert api.seen[0].headers["Authorization"] == "Bearer key-of-the-test"


def test_else_the_key_that_up_has_left(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    (elsewhere / "state").mkdir()
    (elsewhere / "state" / "api-key").write_text("hl_from_file\n")
    hopline("workflow", "list", HOPLINE_API_KEY="", HOPLINE_DATA_DIR="state")
    assert api.seen[0].headers["Authorization"] == "Bearer hl_from_file"


def test_problem_is_one_line(hopline: Hopline, api: CannedApi) -> None:
    api.refuses("POST /api/v1/runs/r1/cancel", 409, "run r1 has ended already")
    result = hopline("run", "cancel", "r1")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "hopline: run r1 has ended already\n")


def test_problem_with_errors_has_a_line_for_each(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    (elsewhere / "w.yml").write_text("kind: app")
    rows = [
        {"node": "17", "field": "cases.0", "why": "is missing"},
        {"node": None, "field": "app.mode", "why": "is wrong"},
    ]
    api.refuses("POST /api/v1/workflows/import", 422, "the definition has 2 problem(s)", errors=rows)
    result = hopline("workflow", "import", "w.yml")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "hopline: the definition has 2 problem(s)",
        "  node 17, cases.0: is missing",
        "  app.mode: is wrong",
    ]


def test_unauthorized_says_where_the_key_comes_from(hopline: Hopline, api: CannedApi) -> None:
    api.refuses("GET /api/v1/workflows", 401, "the API key is unknown")
    result = hopline("workflow", "list")
    assert result.exit_code == 1
    assert "HOPLINE_API_KEY" in result.stderr


def test_nobody_there_says_how_to_start(hopline: Hopline) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        result = hopline("workflow", "list", HOPLINE_URL=f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "hopline up" in result.stderr


def test_silence_is_bounded(hopline: Hopline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = hopline("workflow", "list", HOPLINE_URL=url, HOPLINE_TIMEOUT_S="0.2")
    assert result.exit_code == 1
    assert "did not answer within 0.2 s" in result.stderr


def test_a_silent_stream_is_given_the_time_that_it_is_said_to_have_had(
    hopline: Hopline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.client, "_SILENCE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = hopline("run", "watch", "some-run", HOPLINE_URL=url, HOPLINE_TIMEOUT_S="0.1")
    assert "did not answer within 0.3 s" in result.stderr


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (502, b"<html>bad gateway</html>", "HTTP 502"),
        (500, b'["no problem document"]', "HTTP 500"),
        (200, b"<html>another server</html>", "not JSON"),
        (302, b"", "redirects"),
    ],
)
def test_something_else_answers(
    hopline: Hopline, api: CannedApi, status: int, body: bytes, said: str
) -> None:
    api.says("GET /api/v1/workflows", body, status)
    result = hopline("workflow", "list")
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_ids_cannot_leave_their_place_in_the_path(hopline: Hopline, api: CannedApi) -> None:
    hopline("run", "cancel", "../triggers?x=1")
    assert api.seen[0].path == "/api/v1/runs/..%2Ftriggers%3Fx%3D1/cancel"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8080", "ftp://x", "http://", "http://x:port", "http://x:99999", "http://x:0", "http://[::1",
        "http://a b", "http://a..b",
    ],
)  # fmt: skip
def test_url_that_is_none(hopline: Hopline, url: str) -> None:
    result = hopline("workflow", "list", HOPLINE_URL=url)
    assert result.exit_code == 1
    assert f"HOPLINE_URL is {url!r}" in result.stderr


def test_a_path_in_the_url_is_sent_as_a_url_has_it(hopline: Hopline, api: CannedApi) -> None:
    hopline("workflow", "list", HOPLINE_URL=f"{api.url}/größe %41/")
    assert api.seen[0].path == "/gr%C3%B6%C3%9Fe%20%41/api/v1/workflows"


@pytest.mark.parametrize("key", ["hl_k€y", "hl_\nX-Other: y", "hl_kéy"])
def test_key_that_is_none(hopline: Hopline, api: CannedApi, key: str) -> None:
    result = hopline("workflow", "list", HOPLINE_API_KEY=key)
    assert result.exit_code == 1
    assert "HOPLINE_API_KEY" in result.stderr
    assert "hl_k" not in result.stderr
    assert not api.seen


def test_a_line_end_behind_the_key_is_no_part_of_it(hopline: Hopline, api: CannedApi) -> None:
    hopline("workflow", "list", HOPLINE_API_KEY="hl_key\r\n")
    assert api.seen[0].headers["Authorization"] == "Bearer hl_key"


def test_setting_that_is_wrong_is_named(hopline: Hopline) -> None:
    result = hopline("workflow", "list", HOPLINE_TIMEOUT_S="soon")
    assert result.exit_code == 1
    assert "HOPLINE_TIMEOUT_S" in result.stderr


@pytest.mark.parametrize(
    "args", [("run",), ("run", "show"), ("nonsense",), ("dlq", "replay"), ("dlq", "replay", "--all", "id")]
)
def test_wrong_usage_is_2(hopline: Hopline, args: tuple[str, ...]) -> None:
    assert hopline(*args).exit_code == 2
