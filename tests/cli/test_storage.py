"""`hopline storage` on a folder."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Hopline
from transport.settings import StorageSettings
from transport.storage import Storage

OLD_S = 1_600_000_000


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an old and a new object of each kind."""
    monkeypatch.setenv("HOPLINE_STORAGE", f"file://{tmp_path}")
    opened = Storage.open(StorageSettings())
    for key in ("values/t/run/old", "values/t/run/new", "files/t/old", "files/t/new", "other/old"):
        asyncio.run(opened.put(key, b"123"))
        if key.endswith("old"):
            os.utime(tmp_path / key, (OLD_S, OLD_S))
    return tmp_path


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_old_values_go_and_files_stay(hopline: Hopline, folder: Path) -> None:
    everything = left(folder)
    result = hopline("storage", "prune", "--before", "2021-01-01", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "would delete 1 objects, 3 bytes\n")
    assert left(folder) == everything
    result = hopline("storage", "prune", "--before", "2021-01-01")
    assert (result.exit_code, result.stdout) == (0, "deleted 1 objects, 3 bytes\n")
    assert left(folder) == everything - {"values/t/run/old"}


def test_files_go_when_they_are_asked_for(hopline: Hopline, folder: Path) -> None:
    result = hopline("storage", "prune", "--before", "2021-01-01T00:00:00", "--files", "--json")
    assert json.loads(result.stdout) == {"objects": 2, "bytes": 6, "deleted": True}
    assert left(folder) == {"values/t/run/new", "files/t/new", "other/old"}


def test_a_time_is_needed(hopline: Hopline, folder: Path) -> None:
    assert hopline("storage", "prune").exit_code == 2
    assert hopline("storage", "prune", "--before", "yesterday").exit_code == 2


def test_a_wrong_place_is_said_without_words_of_the_library(hopline: Hopline) -> None:
    result = hopline("storage", "prune", "--before", "2021-01-01", HOPLINE_STORAGE="ftp://host")
    assert result.exit_code == 1
    assert result.stderr == (
        "hopline: HOPLINE_STORAGE is s3://, gs://, az:// or https:// bucket, or file:///folder: "
        "correct the environment\n"
    )
