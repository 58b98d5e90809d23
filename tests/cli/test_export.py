"""`hopline run export`: a file that is whole, or none."""

import os
from pathlib import Path

import pytest

from cli.export import _whole
from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline

ROUTE = "GET /api/v1/runs/export"


@pytest.mark.parametrize(
    ("options", "file", "expected"),
    [
        ((), "runs.parquet", "parquet"),
        ((), "runs.txt", "csv"),
        (("--format", "jsonl"), "runs.csv", "jsonl"),
    ],
)
def test_the_format_is_named_or_that_of_the_file(
    hopline: Hopline, api: CannedApi, elsewhere: Path, options: tuple[str, ...], file: str, expected: str
) -> None:
    api.says(ROUTE, b"content\n")
    (elsewhere / file).write_text("old")
    result = hopline("run", "export", "-o", file, "--status", "failed", "--where", "input.a=1", *options)
    assert (result.exit_code, result.output) == (0, "")
    assert (elsewhere / file).read_bytes() == b"content\n"
    assert [path.name for path in elsewhere.iterdir()] == [file]
    query = {"status": "FAILED", "where": "input.a=1", "format": expected, "what": "runs"}
    assert api.seen[-1].query == query


def test_into_stdout_and_of_trigger_logs(hopline: Hopline, api: CannedApi) -> None:
    api.says("GET /api/v1/trigger-logs/export", b"a,b\n")
    result = hopline("trigger-log", "export", "-o", "-", "--trigger-type", "email")
    assert result.stdout == "a,b\n"
    assert api.seen[-1].query == {"trigger_type": "EMAIL", "format": "csv"}


def test_a_refusal_leaves_the_file_as_it_was(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    api.refuses(ROUTE, 503, "2 exports are under way here")
    (elsewhere / "runs.csv").write_text("old")
    result = hopline("run", "export", "-o", "runs.csv", "--what", "nodes")
    assert result.exit_code == 1
    assert "2 exports are under way here" in result.stderr
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("runs.csv", "old")]


def test_an_answer_that_breaks_off_is_no_file(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    api.breaks_off(ROUTE, b"half of it")
    result = hopline("run", "export", "-o", "runs.csv")
    assert result.exit_code == 1
    assert "broke off" in result.stderr
    assert list(elsewhere.iterdir()) == []


def test_behind_a_link_the_file_is_replaced_and_not_the_link(
    hopline: Hopline, api: CannedApi, elsewhere: Path
) -> None:
    api.says(ROUTE, b"new")
    (elsewhere / "runs.csv").write_text("old")
    (elsewhere / "latest.csv").symlink_to("runs.csv")
    assert hopline("run", "export", "-o", "latest.csv").exit_code == 0
    assert (elsewhere / "latest.csv").is_symlink()
    assert (elsewhere / "runs.csv").read_text() == "new"


def test_a_pipe_is_written_to_and_stays_one(hopline: Hopline, api: CannedApi, elsewhere: Path) -> None:
    api.says(ROUTE, b"content")
    pipe = elsewhere / "runs.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert hopline("run", "export", "-o", "runs.csv").exit_code == 0
        assert os.read(reader, 100) == b"content"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(elsewhere.iterdir()) == [pipe]


def test_of_two_at_once_into_one_file_each_is_whole(elsewhere: Path) -> None:
    file = elsewhere / "runs.csv"
    with _whole(file) as first:
        first.write(b"one\n")
        with _whole(file) as second:
            second.write(b"other\n")
        assert file.read_bytes() == b"other\n"
        first.write(b"two\n")
    assert file.read_bytes() == b"one\ntwo\n"
    assert list(elsewhere.iterdir()) == [file]


def test_where_nothing_can_be_written(hopline: Hopline, api: CannedApi) -> None:
    api.says(ROUTE, b"x")
    result = hopline("run", "export", "-o", "no/such/folder.csv")
    assert result.exit_code == 1
    assert "folder.csv cannot be written: No such file or directory" in result.stderr
