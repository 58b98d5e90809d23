"""A release is code in a directory of its own, and nothing of the code here gets into it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.releases import ROOT, NoSuchRelease, Release, checked_out


def test_processes_of_a_release_run_its_code_wherever_they_are_started(tmp_path: Path) -> None:
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "__init__.py").touch()
    (tmp_path / "cli" / "main.py").write_text("import sys; print(__file__, *sys.argv[1:])")
    release = Release("old", tmp_path)
    said = subprocess.run(
        release.argv("worker"), env={**os.environ, **release.env}, cwd=ROOT, check=True, capture_output=True
    )
    assert said.stdout.decode().split() == [str(tmp_path / "cli" / "main.py"), "worker"]
    assert release.argv("worker")[0] == sys.executable


async def test_a_revision_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(NoSuchRelease, match="no-such-revision"):
        async with checked_out("old", "no-such-revision", tmp_path / "old"):
            pass
