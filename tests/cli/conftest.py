"""Commands run in this process, in an empty directory, against a canned API."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from tests.cli.api import WORKFLOW, CannedApi, canned_api

Hopline = Callable[..., Result]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory to be in, and no setting from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOPLINE_URL", "HOPLINE_API_KEY", "HOPLINE_DATA_DIR", "HOPLINE_KAFKA"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def hopline(elsewhere: Path) -> Hopline:
    """Runs a command. An exception that is no exit fails the test."""

    def run(*args: str, stdin: str | None = None, **env: str) -> Result:
        result = CliRunner().invoke(main, args, input=stdin, env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="module")
def server() -> Iterator[CannedApi]:
    """Shared by the tests of a module."""
    with canned_api() as api:
        yield api


@pytest.fixture
def api(server: CannedApi, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> CannedApi:
    """It has one workflow, and the commands know where it is."""
    server.answers.clear()
    server.seen.clear()
    server.says("GET /api/v1/workflows", {"data": [WORKFLOW]})
    monkeypatch.setenv("HOPLINE_URL", server.url)
    monkeypatch.setenv("HOPLINE_API_KEY", "key-of-the-test")
    return server
