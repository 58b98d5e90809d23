"""`hopline up` as its user sees it: a process, a terminal, ports, and what is left behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import fastavro
import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

import schemas
from cli.kafka.preflight import free_port
from cli.serving.up import SAMPLES
from tests.integration.knowledge import a_document_is_found_by_a_node

START_TIMEOUT_S = 120
STOP_TIMEOUT_S = 40
"""10 s where nothing else is going on."""
COUNT = len(list(SAMPLES.glob("*/sample.json")))
"""Runs of a first start."""
HOPLINE = [sys.executable, "-m", "cli.main"]
AVRO = Path(schemas.__file__).parent / "avro"


def start(data_dir: Path, port: int, *options: str) -> "subprocess.Popen[str]":
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HOPLINE_")}
    argv = [*HOPLINE, "up", "--data-dir", str(data_dir), "--port", str(port), *options]
    return subprocess.Popen(
        argv,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def read_until(process: "subprocess.Popen[str]", wanted: str) -> str:
    """What it prints up to the line that contains `wanted`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            return "".join(lines)
    raise AssertionError(f"no {wanted!r} in {''.join(lines)} {process.stderr and process.stderr.read()}")


def hopline(data_dir: Path, port: int, *arguments: str) -> str:
    environment = {**os.environ, "HOPLINE_URL": f"http://127.0.0.1:{port}", "HOPLINE_DATA_DIR": str(data_dir)}
    return subprocess.run(
        [*HOPLINE, *arguments], env=environment, text=True, capture_output=True, check=True, timeout=60
    ).stdout


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[str]"]]:
    """What a test puts in is gone afterwards, with its children, even if the test has failed."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_up_runs_the_samples_stops_cleanly_and_finds_its_state_again(
    tmp_path: Path, started: "list[subprocess.Popen[str]]"
) -> None:
    port = free_port()
    process = start(tmp_path, port)
    started.append(process)
    shown = read_until(process, "Try ")
    children = psutil.Process(process.pid).children(recursive=True)
    assert re.findall(r"^(\w+) .* run [0-9a-f-]{36}$", shown, re.MULTILINE) == ["SUCCEEDED"] * COUNT
    assert len(children) >= 2, "a broker and a worker"

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json") as answer:
        assert json.load(answer)["openapi"].startswith("3.1")
    runs = json.loads(hopline(tmp_path, port, "run", "list", "--json"))
    assert sorted(run["status"] for run in runs) == ["SUCCEEDED"] * COUNT
    assert hopline(tmp_path, port, "sql", "SELECT count() FROM workflow_runs").split()[-1] == str(COUNT)
    strangers_read_the_topics(shown)
    a_document_is_found_by_a_node(partial(hopline, tmp_path, port), tmp_path)

    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_TIMEOUT_S) == 0
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert (len(gone), alive) == (len(children), [])

    again = start(tmp_path, port, "--exit")
    started.append(again)
    output, errors = again.communicate(timeout=START_TIMEOUT_S)
    assert again.returncode == 0, errors
    assert "Topics ready\n" in output, "none of them is new"
    assert output.count("SUCCEEDED") == COUNT


def strangers_read_the_topics(shown: str) -> None:
    """With a consumer of their own, fastavro, and nothing of ours but the .avsc files."""
    servers = re.search(r"Kafka +(\S+:\d+)", shown)
    assert servers, shown
    consumer = Consumer({"bootstrap.servers": servers[1], "group.id": "stranger"})
    parsed = fastavro.schema.load_schema(str(AVRO / "hopline.WorkflowRun.avsc"))
    count = len(consumer.list_topics("hopline.runs", timeout=10).topics["hopline.runs"].partitions)
    consumer.assign([TopicPartition("hopline.runs", partition, 0) for partition in range(count)])
    found: dict[str, str] = {}
    deadline = time.monotonic() + START_TIMEOUT_S
    while list(found.values()).count("SUCCEEDED") < COUNT and time.monotonic() < deadline:
        for message in consumer.consume(100, 0.5):
            value = message.value() or b""
            record = fastavro.schemaless_reader(BytesIO(value[10:]), parsed, None)
            assert isinstance(record, dict)
            found[record["id"]] = record["status"]
    consumer.close()
    assert list(found.values()) == ["SUCCEEDED"] * COUNT


def test_a_taken_port_is_one_clear_line_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = subprocess.run(
            [*HOPLINE, "up", "--data-dir", str(tmp_path), "--port", str(port)],
            text=True, capture_output=True, timeout=START_TIMEOUT_S, check=False,
        )  # fmt: skip
    assert ended.returncode == 1
    assert not (tmp_path / "kafka").exists()
    assert ended.stderr == (
        f"hopline: port {port} is taken by another program: stop it, or choose another with --port\n"
    )


def test_a_second_up_on_the_same_state_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("up.lock").touch()
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import fcntl,time\nf=open({str(tmp_path / 'up.lock')!r},'a+')\n"
         "fcntl.flock(f,2)\nprint('held',flush=True)\ntime.sleep(60)"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        process = start(tmp_path, free_port())
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "is in use by another hopline up" in errors
    finally:
        holder.kill()
        holder.communicate()


def test_a_directory_that_cannot_be_written_is_said_so() -> None:
    process = start(Path("/proc/hopline"), free_port())
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.startswith("hopline: cannot write to /proc/hopline")
    assert errors.count("\n") == 1
