"""Where artefacts are fetched from."""

from pathlib import Path

import pytest

from cli.kafka.maven import repositories

CENTRAL = "https://repo.maven.apache.org/maven2"
MIRROR = "https://mirror.example/maven2"


@pytest.fixture
def maven_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    return tmp_path / "settings.xml"


@pytest.mark.parametrize(
    ("mirror_of", "url"),
    [
        ("central", MIRROR),
        ("*", MIRROR),
        ("external:*,!internal", MIRROR),
        ("*,!central", CENTRAL),
        ("external:http:*", CENTRAL),
        ("other", CENTRAL),
    ],
)
def test_a_mirror_of_central_is_used(maven_settings: Path, mirror_of: str, url: str) -> None:
    maven_settings.write_text(
        f'<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><mirrors><mirror><id>m</id>'
        f"<mirrorOf>{mirror_of}</mirrorOf><url>{MIRROR}/</url></mirror></mirrors></settings>"
    )
    assert repositories(None, maven_settings) == {"central": url}


def test_without_settings_it_is_central(maven_settings: Path) -> None:
    assert repositories(None, maven_settings) == {"central": CENTRAL}


def test_broken_settings_are_left_to_maven_to_complain_about(maven_settings: Path) -> None:
    maven_settings.write_text("<settings>")
    assert repositories(None, maven_settings) == {"central": CENTRAL}


def test_an_explicit_repository_stands_alone(maven_settings: Path) -> None:
    assert repositories(f"{MIRROR}/", maven_settings) == {"configured": MIRROR}


def test_repositories_of_jgo_are_asked_too(maven_settings: Path, tmp_path: Path) -> None:
    (tmp_path / "jgo.conf").write_text(f"[repositories]\nmine = {MIRROR}\n")
    assert repositories(None, maven_settings) == {"central": CENTRAL, "mine": MIRROR}
