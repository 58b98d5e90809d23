"""A tethered child ends with its parent, however that ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cli.tether import tethered

MECHANISMS = ["linux", "darwin"]
_ROOT = Path(__file__).parents[2]

_PARENT = """
import subprocess, sys, time
from cli.tether import tethered
script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
subprocess.Popen(tethered([sys.executable, "-c", script], platform=sys.argv[1]), start_new_session=True)
time.sleep(60)
"""


@pytest.mark.parametrize("platform", MECHANISMS)
def test_it_dies_with_a_parent_that_is_killed(platform: str) -> None:
    argv = [sys.executable, "-c", _PARENT, platform]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        deadline = time.monotonic() + 5
        while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("platform", MECHANISMS)
def test_it_is_otherwise_the_process_itself(platform: str) -> None:
    script = "import sys; print(sys.argv[1]); sys.exit(7)"
    argv = tethered([sys.executable, "-c", script, "a 'quoted' word"], platform=platform)
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (7, "a 'quoted' word\n")


@pytest.mark.parametrize("platform", MECHANISMS)
def test_sigterm_reaches_it(platform: str) -> None:
    script = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(3)); "
        "print(flush=True); time.sleep(60)"
    )
    argv = tethered([sys.executable, "-c", script], platform=platform)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 3


def test_a_program_that_is_not_there_is_said_so() -> None:
    done = subprocess.run(tethered(["/not/there"]), stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "/not/there: [Errno 2] No such file or directory\n"
