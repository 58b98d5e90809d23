"""`hopline broker` as a user runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from cli.kafka.preflight import free_port

pytestmark = pytest.mark.broker

_HOPLINE = [sys.executable, "-c", "from cli.main import main; main()"]
_ROOT = Path(__file__).parents[2]


def hopline(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*_HOPLINE, *arguments],
        cwd=_ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def running(data_dir: Path) -> Iterator[tuple["subprocess.Popen[str]", psutil.Process, int]]:
    """A ready `hopline broker`, its Java process and its port."""
    port = free_port()
    argv = [*_HOPLINE, "broker", "--data-dir", str(data_dir), "--port", str(port)]
    # A shell in the background would have it ignore Ctrl-C.
    with subprocess.Popen(argv, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert f"ready at 127.0.0.1:{port}" in process.stdout.readline()
            (java,) = psutil.Process(process.pid).children()
            assert java.name() == "java"
            yield process, java, port
        finally:
            process.kill()


def ended(process: psutil.Process) -> bool:
    deadline = time.monotonic() + 5
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_ctrl_c_ends_it_cleanly_and_a_second_one_is_refused_meanwhile(tmp_path: Path) -> None:
    with running(tmp_path) as (process, java, port):
        second = hopline("broker", "--data-dir", str(tmp_path), "--port", str(free_port()))
        assert (second.returncode, second.stderr.count("\n")) == (1, 1)
        assert "in use by another running broker" in second.stderr

        elsewhere = hopline("broker", "--data-dir", str(tmp_path / "other"), "--port", str(port))
        assert (elsewhere.returncode, elsewhere.stderr.count("\n")) == (1, 1)
        assert f"hopline: port {port} is taken" in elsewhere.stderr

        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert ended(java)


def test_killed_it_takes_kafka_with_it(tmp_path: Path) -> None:
    with running(tmp_path) as (process, java, _):
        process.kill()
        process.wait()
        assert ended(java)


def test_when_kafka_dies_it_says_so(tmp_path: Path) -> None:
    with running(tmp_path) as (process, java, _):
        java.kill()
        assert process.wait(10) == 1


def test_wrong_usage_is_2() -> None:
    assert hopline("broker", "--port", "many").returncode == 2
    assert hopline("brooker").returncode == 2


def test_no_way_to_the_jars_is_1_and_one_line(tmp_path: Path) -> None:
    done = hopline(
        *("broker", "--data-dir", str(tmp_path / "data"), "--port", str(free_port())),
        HOPLINE_MAVEN_REPOSITORY="http://127.0.0.1:1/maven2",
        HOPLINE_CACHE_DIR=str(tmp_path / "cache"),
        M2_REPO=str(tmp_path / "m2"),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("hopline: cannot download Apache Kafka")
    assert "HOPLINE_KAFKA" in done.stderr
