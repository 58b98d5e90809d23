"""Log lines for machines and for people."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from cli.logs import set_up_logging
from cli.settings import LogSettings
from tests.cli.conftest import Hopline
from transport.telemetry.work import CURRENT, Work


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Root handlers are pytest's own."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(False)


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


def fail() -> None:
    try:
        raise ValueError("no\nluck")
    except ValueError:
        logging.getLogger("streams.x").exception("gave up on %s", "a\nb\x1b[2J", extra={"run_id": b"\xff"})


def test_json_lines() -> None:
    out = io.StringIO()
    set_up_logging(LogSettings(level="INFO"), out)
    fail()
    logging.getLogger("streams.x").debug("not said")
    (line,) = out.getvalue().splitlines()
    said = orjson.loads(line)
    assert (said["level"], said["logger"], said["message"]) == (
        "ERROR",
        "streams.x",
        "gave up on a\nb\x1b[2J",
    )
    assert said["run_id"] == repr(b"\xff")
    assert "ValueError" in said["stack"]
    assert said["time"].endswith("+00:00")


def test_plain_lines_do_not_steer_the_terminal() -> None:
    out = Terminal()
    set_up_logging(LogSettings(level="DEBUG"), out)
    fail()
    first = out.getvalue().splitlines()[0]
    assert first.endswith("streams.x: gave up on a b\N{REPLACEMENT CHARACTER}[2J")
    assert "Traceback" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_quiet_libraries_speak_up_only_in_need() -> None:
    out = io.StringIO()
    set_up_logging(LogSettings(level="DEBUG"), out)
    logging.getLogger("aiokafka.consumer").info("heartbeat")
    logging.getLogger("aiokafka.consumer").warning("broker is gone")
    assert "heartbeat" not in out.getvalue()
    assert "broker is gone" in out.getvalue()


def test_level_of_the_environment(monkeypatch: pytest.MonkeyPatch, hopline: Hopline) -> None:
    monkeypatch.setenv("HOPLINE_LOG_LEVEL", "warning")
    assert LogSettings().level == "WARNING"
    result = hopline("worker", HOPLINE_LOG_LEVEL="loud")
    assert result.exit_code == 1
    assert "HOPLINE_LOG_LEVEL" in result.stderr


def test_a_line_says_which_run_and_which_trace_it_is_about() -> None:
    out = io.StringIO()
    set_up_logging(LogSettings(level="INFO"), out)
    log, trace = logging.getLogger("streams.x"), "4bf92f3577b34da6a3ce929d0e0e4736"
    traceparent = f"00-{trace}-00f067aa0ba902b7-01"
    before = CURRENT.set(
        Work(execution_id="e", run_id="r", tenant_id="t", node_id="n", traceparent=traceparent)
    )
    log.warning("at work")
    CURRENT.reset(before)
    log.warning("at rest")
    busy, idle = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert {name: busy[name] for name in busy.keys() - idle.keys()} == {
        "tenant_id": "t", "run_id": "r", "node_id": "n", "node_execution_id": "e",
        "trace_id": trace, "span_id": "00f067aa0ba902b7",
    }  # fmt: skip
