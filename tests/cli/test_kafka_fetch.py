"""Downloads: whole and checked, or not there."""

import gc
import hashlib
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from cli.kafka.fetch import fetch_all
from cli.kafka.jars import Jar

CONTENTS = {f"org.example:part{i}:1.0": bytes([i]) * 1000 for i in range(12)}
JARS = [Jar(name, len(it), hashlib.sha256(it).hexdigest()) for name, it in CONTENTS.items()]
NOWHERE = {"nowhere": "http://127.0.0.1:1"}


@pytest.fixture(autouse=True)
def unread_answers() -> Iterator[None]:
    """The library leaves answers open that it has refused; they are not to be found in another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A directory laid out as a Maven repository, with all the jars."""
    for jar in JARS:
        path = path_in(tmp_path / "repository", jar)
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENTS[jar.coordinate])
    return tmp_path / "repository"


@pytest.fixture
def served(repository: Path) -> Iterator[dict[str, str]]:
    """The same over HTTP."""
    handler = partial(_Quiet, directory=str(repository))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield {"test": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def path_in(repository: Path, jar: Jar) -> Path:
    group, artifact, version = jar.coordinate.split(":")
    return repository / group.replace(".", "/") / artifact / version / jar.file_name


def fetch(target: Path, remote: dict[str, str], local: Path = Path("/nowhere")) -> list[str]:
    told: list[str] = []
    fetch_all(JARS, target, remote=remote, local=local, report=told.append)
    return told


def test_only_what_is_missing_or_cut_short_is_fetched(tmp_path: Path, served: dict[str, str]) -> None:
    target = tmp_path / "jars"
    fetch(target, served)
    assert {path.name for path in target.iterdir()} == {jar.file_name for jar in JARS}

    (target / JARS[0].file_name).write_bytes(b"cut")
    (target / "partial-of-a-killed-download").mkdir()
    fetch(target, served)
    assert all(jar.is_in(target) for jar in JARS)
    assert len(list(target.iterdir())) == len(JARS)


def test_what_maven_has_already_is_copied(tmp_path: Path, repository: Path) -> None:
    fetch(tmp_path / "jars", NOWHERE, local=repository)
    assert all(jar.is_in(tmp_path / "jars") for jar in JARS)


def test_what_maven_has_otherwise_is_fetched(
    tmp_path: Path, repository: Path, served: dict[str, str]
) -> None:
    other = path_in(tmp_path / "m2", JARS[0])
    other.parent.mkdir(parents=True)
    other.write_bytes(b"y" * JARS[0].size)
    fetch(tmp_path / "jars", served, local=tmp_path / "m2")
    assert (tmp_path / "jars" / JARS[0].file_name).read_bytes() == CONTENTS[JARS[0].coordinate]


def test_another_file_than_the_locked_one_is_refused(
    tmp_path: Path, repository: Path, served: dict[str, str]
) -> None:
    path_in(repository, JARS[3]).write_bytes(b"x" * JARS[3].size)
    with pytest.raises(RuntimeError, match=r"no org.example:part3:1.0 there that is the locked one"):
        fetch(tmp_path / "jars", served)
    assert not JARS[3].is_in(tmp_path / "jars")


def test_a_repository_without_it_is_told_without_its_url(
    tmp_path: Path, repository: Path, served: dict[str, str]
) -> None:
    path_in(repository, JARS[3]).unlink()
    with pytest.raises(RuntimeError, match=r"^no org.example:part3:1.0 there"):
        fetch(tmp_path / "jars", served)


def test_an_unreachable_repository_raises_what_the_client_raised(tmp_path: Path) -> None:
    with pytest.raises(requests.ConnectionError):
        fetch(tmp_path / "jars", NOWHERE)
    assert list((tmp_path / "jars").iterdir()) == []
