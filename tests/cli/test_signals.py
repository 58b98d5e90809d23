"""The first signal asks, the second insists; on a real process."""

import signal
import subprocess
import sys

import pytest

_DRAINING = """
import asyncio, time
from cli.signals import stop_on_signals
async def main():
    stop = stop_on_signals()
    print("ready", flush=True)
    await stop.wait()
    print("draining", flush=True)
    await asyncio.sleep({seconds})
asyncio.run(main())
"""


def start(seconds: float) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", _DRAINING.format(seconds=seconds)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert says(process) == "ready"
    return process


def says(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_lets_it_finish(first: signal.Signals) -> None:
    with start(0.01) as process:
        process.send_signal(first)
        assert says(process) == "draining"
        assert process.wait(30) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_two_end_it_at_once(second: signal.Signals) -> None:
    with start(3600) as process:
        process.send_signal(signal.SIGTERM)
        assert says(process) == "draining"
        process.send_signal(second)
        assert process.wait(30) == 1
