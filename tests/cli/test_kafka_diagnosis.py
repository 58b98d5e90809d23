"""What is wrong, as far as the log, the port and the directory tell."""

import errno
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.errors import BrokerProblem
from cli.kafka import logfile, preflight
from cli.kafka.diagnosis import PickedPortTaken, cause_of_death, telling_line

HOME = Path("/data/kafka")
BIND = (
    "org.apache.kafka.common.KafkaException: "
    "Socket server failed to bind to 127.0.0.1:9092: Address already in use."
)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("java.io.IOException: No space left on device", "the disk of /data/kafka is full"),
        (
            "org.apache.kafka.common.KafkaException: Failed to acquire lock on file .lock in /data",
            "in use by another running broker",
        ),
        (BIND, "port 9092 is taken"),
        (
            "java.lang.OutOfMemoryError: Java heap space",
            "Java heap space): its log is /data/kafka/kafka.log",
        ),
    ],
)
def test_the_log_tells_what_to_do(line: str, problem: str) -> None:
    found = cause_of_death(["[main] INFO starting", "[main] ERROR fatal", line], HOME, port=9092)
    assert problem in str(found)


def test_a_port_that_was_only_picked_can_be_picked_again() -> None:
    assert isinstance(cause_of_death([BIND], HOME, port=0), PickedPortTaken)


@pytest.mark.parametrize(
    ("lines", "telling"),
    [
        (
            ["INFO a", "ERROR b", "java.lang.RuntimeException: c", "\tat d", "INFO e"],
            "java.lang.RuntimeException: c",
        ),
        (["INFO a", "[main] ERROR b", "INFO c", ""], "[main] ERROR b"),
        (["Unrecognized option: -x", ""], "Unrecognized option: -x"),
        ([], "it logged nothing"),
    ],
)
def test_the_telling_line(lines: list[str], telling: str) -> None:
    assert telling_line(lines) == telling


def test_a_log_is_read_from_the_last_start_and_rotated_when_large(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    assert logfile.rotate(log) == 0
    assert logfile.lines_since(log, 0) == []
    log.write_text("before\n")
    start = logfile.rotate(log)
    with log.open("a") as file:
        file.write("after\n")
    assert logfile.lines_since(log, start) == ["after"]
    with log.open("ab") as file:
        file.truncate(17 * 1024 * 1024)
    assert logfile.rotate(log) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["kafka.log.1"]


def test_a_taken_port_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(BrokerProblem, match=rf"port {port} is taken: .*HOPLINE_KAFKA=127.0.0.1:{port}"):
            preflight.check_port(port)
    preflight.check_port(port)


@pytest.fixture
def lock_holder(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process that holds Kafka's lock as Kafka does."""
    code = (
        "import fcntl, sys, time; f = open(sys.argv[1], 'wb'); "
        "fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / ".lock")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_lock_counts_only_while_its_holder_lives(
    tmp_path: Path, lock_holder: "subprocess.Popen[str]"
) -> None:
    with pytest.raises(BrokerProblem, match=r"in use by another running broker: .*--data-dir"):
        preflight.check_lock(tmp_path)
    lock_holder.kill()
    lock_holder.wait()
    preflight.check_lock(tmp_path)
    assert (tmp_path / ".lock").exists()


def test_a_directory_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerProblem, match=r"cannot write to .* \(Not a directory\): .*--data-dir"):
        preflight.check_home(tmp_path / "file" / "kafka")


def test_a_full_disk_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "is full" in str(preflight.not_writable(tmp_path, full))

    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(BrokerProblem, match="is full"):
        preflight.check_home(tmp_path)
