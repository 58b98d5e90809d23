"""A server process under measurement: bound to this one, in its own session, its output in a file."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from bench.procs import tree
from cli.tether import tethered


class StartFailed(Exception):
    """A server ended, or did not answer in time; the message names its log."""


class Program:
    """Started with `Program.start`, which needs the main thread (see `cli.tether`)."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Path) -> None:
        self._process = process
        self.name = name
        self.log = log

    @classmethod
    async def start(
        cls,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> Self:
        """Returns once the process exists. `env` is added to this process's own; the log is appended to."""
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *tethered([str(part) for part in argv]),
                env={**os.environ, **env},
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        return cls(process, name, log)

    @property
    def pid(self) -> int:
        """Of the process, also after its end."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Until it ends by itself; the exit code."""
        return await self._process.wait()

    async def kill(self) -> None:
        """SIGKILL to it and to everything below it, at once."""
        _kill(tree([self.pid]))
        await self._process.wait()

    async def stop(self, timeout_s: float = 15.0) -> bool:
        """SIGTERM, then SIGKILL for what is left of its tree; whether it ended in time. Idempotent."""
        members = tree([self.pid])
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            _kill(members)
            await self._process.wait()

    async def wait_until(self, ready: Callable[[], Awaitable[bool]], timeout_s: float = 60.0) -> None:
        """Polls until it is ready. Raises `StartFailed` when it ends before, or is late."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.exit_code is None and asyncio.get_running_loop().time() < deadline:
            if await ready():
                return
            await asyncio.sleep(0.2)
        reason = "is not ready in time" if self.exit_code is None else f"ended with code {self.exit_code}"
        raise StartFailed(f"{self.name} {reason}: see {self.log}")


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
