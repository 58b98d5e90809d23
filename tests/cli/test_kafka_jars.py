"""Kafka's jars: there from an earlier start, or a line that says what to do."""

import pwd
import shutil
from pathlib import Path

import pytest

from cli.errors import BrokerProblem
from cli.kafka.jars import ensure_jars, locked_jars
from cli.kafka.settings import BrokerSettings

NOWHERE = "http://127.0.0.1:1/maven2"


@pytest.fixture(autouse=True)
def no_local_repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))


def settings(cache: Path) -> BrokerSettings:
    return BrokerSettings(cache_dir=cache, maven_repository=NOWHERE)


async def test_a_later_start_needs_no_network(tmp_path: Path) -> None:
    fetched = await ensure_jars(BrokerSettings(), print)
    assert {path.name for path in fetched.glob("*.jar")} == {jar.file_name for jar in locked_jars()}

    cached = tmp_path / "kafka" / fetched.name
    shutil.copytree(fetched, cached)
    assert await ensure_jars(settings(tmp_path), print) == cached

    (cached / locked_jars()[0].file_name).unlink()
    with pytest.raises(BrokerProblem):
        await ensure_jars(settings(tmp_path), print)


def test_who_has_no_home_names_a_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    with pytest.raises(RuntimeError):
        Path.home()
    assert settings(tmp_path).jar_cache == tmp_path / "kafka"


async def test_an_unreachable_repository_is_one_line_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        BrokerProblem, match=r"from 127.0.0.1 \(Connection refused\): .* set HOPLINE_KAFKA to"
    ):
        await ensure_jars(settings(tmp_path), print)


async def test_a_cache_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerProblem, match=r"cannot store .* \(Not a directory\): .* HOPLINE_CACHE_DIR"):
        await ensure_jars(settings(tmp_path / "file"), print)
