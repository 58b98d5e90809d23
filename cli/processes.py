"""Child processes of `hopline up`: started bound to it, started again when they die, stopped in time."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cli.tether import tethered

log = logging.getLogger(__name__)

_STEADY_S = 10.0
_MAX_PAUSE_S = 10.0
_STOP_TIMEOUT_S = 8.0


@dataclass
class Child:
    """One role in a process of its own, kept alive until `stop`.

    A worker that would skip an event exits instead, so a restart is part of the ordinary course of things.
    It writes to `log_file`. Start it from the main thread, see `cli.tether`.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log_file: Path
    stop_timeout_s: float = _STOP_TIMEOUT_S
    """How long it may take from SIGTERM to its end."""
    restarts: int = 0
    _process: asyncio.subprocess.Process | None = None
    _keeper: asyncio.Task[None] | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """Of the process as it runs now; None while it is down."""
        alive = self._process is not None and self._process.returncode is None
        return self._process.pid if alive and self._process else None

    async def start(self) -> None:
        """Returns once the process exists."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is still there after `stop_timeout_s`."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), self.stop_timeout_s)
            except TimeoutError:
                log.warning(
                    "%s did not stop in %g s and is killed; what it had not acknowledged is replayed",
                    self.name,
                    self.stop_timeout_s,
                )
                os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        if self._keeper is not None:
            await self._keeper

    async def _spawn(self) -> None:
        with self.log_file.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                *tethered(self.argv), env=dict(self.env), stdin=asyncio.subprocess.DEVNULL,
                stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    async def _keep(self) -> None:
        pause = 0.2
        while self._process is not None:
            started = asyncio.get_running_loop().time()
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            lived = asyncio.get_running_loop().time() - started
            pause = 0.2 if lived > _STEADY_S else min(pause * 2, _MAX_PAUSE_S)
            self.restarts += 1
            log.warning(
                "%s ended with code %s and is started again in %.1f s, see %s",
                self.name,
                code,
                pause,
                self.log_file,
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            await self._spawn()
