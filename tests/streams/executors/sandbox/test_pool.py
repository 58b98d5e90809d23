"""What happens to the pool when its zygote or its worker dies, and what it leaves behind."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from streams.executors.sandbox.errors import SandboxUnavailable
from streams.executors.sandbox.scripts import Sandbox
from streams.executors.settings import SandboxSettings
from tests.streams.executors.conftest import SETTINGS
from tests.streams.executors.sandbox.family import children, descendants

ADD = "def main(a, b): return {'sum': a + b}"
SLEEP = "import time\ndef main(s):\n time.sleep(s)\n return {'slept': s}"
PLANS = [(), ("mount-namespace",), ("network-namespace",)]


def zygote() -> psutil.Process:
    """The first process of the shared PID namespace, below the one that was launched."""
    return children()[0].children()[0]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that nobody else uses, with a short name: sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def left_in(folder: Path) -> list[Path]:
    return list(folder.glob("hopline-sandbox-*"))


async def test_a_script_survives_the_death_of_its_zygote(sandbox: Sandbox) -> None:
    task = asyncio.create_task(sandbox.run(SLEEP, {"s": 0.3}))
    await asyncio.sleep(0.1)
    zygote().kill()
    ran = await asyncio.wait_for(task, 10)
    assert ran.result == {"slept": 0.3}
    assert (await sandbox.run(ADD, {"a": 1, "b": 2})).result == {"sum": 3}


async def test_a_process_that_dies_while_it_waits_is_replaced(sandbox: Sandbox) -> None:
    await asyncio.sleep(0.2)
    for process in zygote().children():
        process.kill()
    await asyncio.sleep(0.2)
    for _ in range(5):
        assert (await sandbox.run(ADD, {"a": 1, "b": 2})).result == {"sum": 3}


@pytest.mark.parametrize("without", PLANS, ids=["full", "no mount", "no namespaces"])
async def test_closing_leaves_nothing_behind(
    settings: SandboxSettings, temporary: Path, without: tuple[str, ...]
) -> None:
    async with Sandbox(settings.model_copy(update={"without": without})) as sandbox:
        await sandbox.run("def main():\n open('f', 'w').write('x')\n return {}", {})
        running = asyncio.create_task(sandbox.run(SLEEP, {"s": 30}))
        await asyncio.sleep(0.1)
        running.cancel()
    assert descendants() == []
    assert left_in(temporary) == []


@pytest.mark.parametrize("without", PLANS, ids=["full", "no mount", "no namespaces"])
def test_a_killed_worker_takes_its_sandbox_along(temporary: Path, without: tuple[str, ...]) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, ",".join(without)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )
    assert worker.stdout is not None
    with worker.stdout:
        assert worker.stdout.readline() == "running\n"
        below = psutil.Process(worker.pid).children(recursive=True)
        assert len(below) >= 3
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    _, alive = psutil.wait_procs(below, timeout=5)
    assert alive == []
    assert left_in(temporary) == []


WORKER = dedent("""
    import asyncio, sys
    from streams.executors.sandbox.scripts import Sandbox
    from streams.executors.settings import SandboxSettings

    async def main():
        without = tuple(filter(None, sys.argv[1].split(",")))
        async with Sandbox(SandboxSettings(pool_size=2, without=without)) as sandbox:
            task = asyncio.create_task(sandbox.run("while True: pass", {}))
            await asyncio.sleep(0.3)
            print("running", flush=True)
            await task

    asyncio.run(main())
""")


@pytest.mark.parametrize("without", PLANS, ids=["full", "no mount", "no namespaces"])
async def test_an_endless_loop_is_stopped(settings: SandboxSettings, without: tuple[str, ...]) -> None:
    async with Sandbox(settings.model_copy(update={"without": without, "timeout_s": 0.3})) as sandbox:
        ran = await sandbox.run("def main():\n while True: pass", {})
        assert ran.error == "the code ran longer than 0.3 s and was stopped"
        assert ran.elapsed_s >= 0.3


async def test_cpu_time_is_bounded_too(settings: SandboxSettings) -> None:
    async with Sandbox(settings.model_copy(update={"cpu_s": 1})) as sandbox:
        ran = await sandbox.run("def main():\n while True: pass", {})
        assert ran.error == "the code used more than 1 s of CPU and was stopped"


async def test_waiting_for_a_process_is_bounded(settings: SandboxSettings) -> None:
    async with Sandbox(settings.model_copy(update={"pool_size": 1, "wait_s": 0.1})) as sandbox:
        busy = asyncio.create_task(sandbox.run(SLEEP, {"s": 0.5}))
        await asyncio.sleep(0.05)
        with pytest.raises(SandboxUnavailable, match=r"no sandboxed process became free in 0\.1 s"):
            await sandbox.run(ADD, {"a": 1, "b": 2})
        assert (await busy).result == {"slept": 0.5}


async def test_what_is_missing_is_reported_once(
    settings: SandboxSettings, caplog: pytest.LogCaptureFixture
) -> None:
    without = ("seccomp", "mount-namespace")
    with caplog.at_level(logging.WARNING):
        async with Sandbox(settings.model_copy(update={"without": without})) as sandbox:
            for _ in range(5):
                await sandbox.run(ADD, {"a": 1, "b": 2})
            missing = sandbox.capabilities().missing
    assert dict(missing) == {
        "mount-namespace": "switched off by HOPLINE_SANDBOX_WITHOUT",
        "seccomp": "switched off by HOPLINE_SANDBOX_WITHOUT",
    }
    # Of this package alone: a producer of another test may complain of a broker that is gone.
    reported = [
        record.getMessage() for record in caplog.records if record.name.startswith("streams.executors.")
    ]
    assert sorted(message.split(":")[1] for message in reported) == [
        " no mount-namespace on this machine",
        " no seccomp on this machine",
    ]


async def test_starts_and_runs_on_uvloop(settings: SandboxSettings) -> None:
    script = WORKER.replace("asyncio.run(main())", "import uvloop; uvloop.run(main())").replace(
        '"while True: pass"', '"def main(): return {}"'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", script, "", cwd=Path(__file__).parents[4]
    )
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_script_does_not_wait_for_a_process_to_start(sandbox: Sandbox) -> None:
    for _ in range(10):
        await until(lambda: len(zygote().children()) == SETTINGS.pool_size)
        ready = zygote().children()
        assert (await sandbox.run(ADD, {"a": 1, "b": 2})).result == {"sum": 3}
        await until(partial(one_is_gone, ready))  # it had the script: each is used once


def one_is_gone(processes: list[psutil.Process]) -> bool:
    return not all(process.is_running() for process in processes)


async def until(condition: Callable[[], bool]) -> None:
    """Returns when it holds. Raises `AssertionError` when it does not for long."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not hold")
