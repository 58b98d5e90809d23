"""`hopline sandbox`."""

from pathlib import Path

import orjson
import pytest

from tests.cli.api import CannedApi
from tests.cli.conftest import Hopline


def test_nothing_to_install(hopline: Hopline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOPLINE_SANDBOX_PACKAGES", raising=False)
    assert "code nodes have the standard library" in hopline("sandbox", "install").stdout


def test_what_cannot_be_installed_is_one_line(
    hopline: Hopline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOPLINE_SANDBOX_PACKAGES", f"greet @ file://{tmp_path}/greet-1.0-py3-none-any.whl")
    monkeypatch.setenv("HOPLINE_DATA_DIR", str(tmp_path))
    result = hopline("sandbox", "install")
    assert result.exit_code == 1
    assert result.stderr.startswith("hopline: HOPLINE_SANDBOX_PACKAGES cannot be installed: ")
    assert result.stderr.count("\n") == 1


def test_what_is_there_is_shown(hopline: Hopline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cli.sandbox.ensure_installed", lambda packages, data_dir: data_dir / "sandbox" / "x")
    monkeypatch.setenv("HOPLINE_SANDBOX_PACKAGES", "greet, other>=1,<2")
    monkeypatch.setenv("HOPLINE_DATA_DIR", str(tmp_path))
    assert orjson.loads(hopline("sandbox", "install", "--json").stdout) == {
        "packages": ["greet", "other>=1,<2"],
        "folder": f"{tmp_path}/sandbox/x",
    }


@pytest.mark.parametrize(("there", "method"), [([], "POST"), ([{"name": "default"}], "PUT")])
def test_the_network_of_a_tenant(
    hopline: Hopline, api: CannedApi, there: list[dict[str, str]], method: str
) -> None:
    path = "/api/v1/sandbox-policies" + ("/default" if there else "")
    api.says("GET /api/v1/sandbox-policies", {"data": there})
    api.says(f"{method} {path}", {"name": "default"})
    assert hopline("sandbox", "network", "on").stdout == "code nodes have the network on\n"
    assert api.seen[-1].json == {"name": "default", "network": True}
