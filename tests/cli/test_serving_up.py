"""What `hopline up` says and asks for at its start."""

import shlex
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.serving.up import kafka_beside, to_try
from cli.settings import ClientSettings
from transport.settings import ClickHouseSettings, KafkaSettings

URL = "http://127.0.0.1:8080"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_where_everything_is_in_its_place_the_commands_are_told_nothing(here: Path) -> None:
    for data_dir in (Path(".hopline"), here / ".hopline"):
        first, second = to_try(URL, data_dir)
        assert first == "hopline run list"
        assert second.startswith("hopline sql ")


@pytest.mark.parametrize(
    ("url", "data_dir", "told"),
    [
        ("http://127.0.0.1:18990", ".hopline", {"HOPLINE_URL"}),
        (URL, "my state", {"HOPLINE_DATA_DIR"}),
        ("http://127.0.0.1:18990", "my state", {"HOPLINE_URL", "HOPLINE_DATA_DIR"}),
    ],
)
def test_elsewhere_they_find_it_as_it_is_printed(
    here: Path, monkeypatch: pytest.MonkeyPatch, url: str, data_dir: str, told: set[str]
) -> None:
    export, *commands = to_try(url, Path(data_dir))
    assert commands == to_try(URL, Path(".hopline"))
    word, *pairs = shlex.split(export)
    variables = dict(pair.split("=", 1) for pair in pairs)
    assert (word, set(variables)) == ("export", told)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = ClientSettings()
    assert (settings.url, settings.data_dir.absolute()) == (url, here / data_dir)


@pytest.mark.parametrize(
    ("dsn", "asked", "partitions"),
    [("chdb:///somewhere", None, 1), ("chdb:///somewhere", "2", 2), ("http://clickhouse:8123", None, 4)],
)
def test_an_embedded_engine_has_one_sink_and_the_history_one_partition(
    monkeypatch: pytest.MonkeyPatch, dsn: str, asked: str | None, partitions: int
) -> None:
    if asked:
        monkeypatch.setenv("HOPLINE_HISTORY_PARTITIONS", asked)
    kafka = kafka_beside(ClickHouseSettings(dsn=SecretStr(dsn)), KafkaSettings())
    assert kafka.history_partitions == partitions
    assert kafka.partitions == 12
