"""Each role as a process of its own: it starts, says so, and a signal ends it cleanly."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

pytestmark = pytest.mark.broker

_START_S = 60.0
_STOP_S = 60.0
_STORES = 2 * 7
"""Of a worker: two partitions of each table."""


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def env(broker: str, topic_prefix: str, port: int, tmp_path: Path) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("HOPLINE_")},
        "HOPLINE_KAFKA": broker,
        "HOPLINE_TOPIC_PREFIX": topic_prefix,
        "HOPLINE_PARTITIONS": "2",
        "HOPLINE_PORT": str(port),
        "HOPLINE_DATA_DIR": str(tmp_path),
        "HOPLINE_CLICKHOUSE": f"chdb://{tmp_path}/clickhouse",
    }


@pytest.fixture
def start(env: dict[str, str], tmp_path: Path) -> Iterator["Start"]:
    starter = Start(env, tmp_path / "log")
    yield starter
    for process in starter.processes:
        process.kill()
        process.wait()


class Start:
    """Starts roles; what they log can be waited for."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.env = env
        self.log = log
        self.processes: list[subprocess.Popen[bytes]] = []

    def __call__(self, role: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "cli.main", role]
            process = subprocess.Popen(argv, env=self.env, stderr=log, stdout=log)
        self.processes.append(process)
        return process

    def wait_for(self, message: str) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if any(message in line for line in self.log.read_text().splitlines()):
                return
            assert self.processes[-1].poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"{message!r} was not logged:\n{self.log.read_text()}")


def health(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        return int(answer.status)


def test_ingress(start: Start, port: int) -> None:
    process = start("ingress")
    start.wait_for("listening on")
    assert health(port) == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(_STOP_S) == 0
    lines = [orjson.loads(line) for line in start.log.read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= lines[0].keys()


def test_ingress_on_a_port_that_is_taken(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        process = start("ingress")
        assert process.wait(_START_S) == 1
    last = start.log.read_text().splitlines()[-1]
    assert last.startswith(f"hopline: cannot listen on 127.0.0.1:{port}")
    assert "HOPLINE_PORT" in last


def test_sink(start: Start) -> None:
    process = start("sink")
    start.wait_for("writing to database hopline")
    start.wait_for("brought the tables up to date")
    process.send_signal(signal.SIGTERM)
    assert process.wait(_STOP_S) == 0, start.log.read_text()


def test_ingress_takes_events_while_clickhouse_is_away(start: Start, port: int) -> None:
    start.env["HOPLINE_CLICKHOUSE"] = "http://127.0.0.1:1"
    start("ingress")
    start.wait_for("listening on")
    assert health(port) == 200


def test_sink_without_clickhouse(start: Start) -> None:
    start.env["HOPLINE_CLICKHOUSE"] = "http://127.0.0.1:1"
    assert start("sink").wait(_START_S) == 1
    assert start.log.read_text().splitlines()[-1].startswith("hopline: ")


def test_worker(start: Start) -> None:
    start.env["HOPLINE_SECRET_KEY"] = "k" * 32
    process = start("worker")
    start.wait_for("worker ")
    process.send_signal(signal.SIGTERM)
    assert process.wait(_STOP_S) == 0, start.log.read_text()
    assert "HOPLINE_SECRET_KEY" not in start.log.read_text()


def test_a_worker_opens_more_files_than_the_shell_lets_it(start: Start, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        process = start("worker")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    start.wait_for("generation 1: ")
    deadline = time.monotonic() + _START_S
    while len(list(tmp_path.glob("workers/*/*/*/CURRENT"))) < _STORES and time.monotonic() < deadline:
        assert process.poll() is None, start.log.read_text()
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(_STOP_S) == 0, start.log.read_text()
    assert len(list(tmp_path.glob("workers/*/*/*/CURRENT"))) == _STORES


def test_worker_that_can_read_no_secret_says_so(start: Start) -> None:
    start("worker")
    start.wait_for("HOPLINE_SECRET_KEY is not set: nodes that use a secret fail on this worker")
