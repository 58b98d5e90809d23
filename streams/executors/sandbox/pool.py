"""Keeps warm, confined processes in stock; each is used once and replaced."""

import asyncio
import itertools
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Coroutine, Mapping

import _quickjs
import orjson

from streams.executors.sandbox.capabilities import Capabilities
from streams.executors.sandbox.errors import PlanRefused, SandboxUnavailable
from streams.executors.sandbox.inside.spec import FILES, NETWORK, PROCESSES, SWITCHED_OFF, Plan, Spec
from streams.executors.sandbox.outfit import Outfit
from streams.executors.sandbox.process import ReplyTooLarge, SandboxedProcess
from streams.executors.sandbox.zygote_link import Ended, ZygoteLink
from streams.executors.settings import SandboxSettings

logger = logging.getLogger(__name__)

_WARM_UP_TIMEOUT_S = 20.0
_RESPAWN_DELAY_S = 0.5
_REPORT_BYTES = 65_536

# Best first. A plan is left out when the operator has switched off one of its layers.
_PLANS: Mapping[Plan, frozenset[str]] = {
    "full": frozenset({NETWORK, PROCESSES, FILES}),
    "no-mount": frozenset({NETWORK, PROCESSES}),
    "none": frozenset(),
}


class ProcessPool:
    """Of a constant size: warm, busy and starting processes together. Survives the death of its zygote."""

    def __init__(self, settings: SandboxSettings, outfit: Outfit) -> None:
        self._settings = settings
        self._outfit = outfit
        self._ids = itertools.count(1)
        self._processes: dict[int, SandboxedProcess] = {}
        self._ready: asyncio.Queue[SandboxedProcess] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._link: ZygoteLink | None = None
        self._plan: Plan = "none"
        self._refusals: dict[Plan, str] = {}
        self._temp_dir = ""
        self._first: asyncio.Future[Capabilities] | None = None
        self._capabilities: Capabilities | None = None
        self._closing = False

    async def open(self) -> None:
        """Returns once the first process is ready. Raises `SandboxUnavailable` when none can be had."""
        self._first = asyncio.get_running_loop().create_future()
        await self._connect()
        self._capabilities = await self._first
        self._capabilities.announce()

    async def close(self) -> None:
        """Kills what runs; returns when every process is gone and the temporary folder with them."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        for process in list(self._processes.values()):
            self._forget(process, Ended(zygote_lost=True))
            process.close()
        await asyncio.to_thread(_remove_temp_dir, self._temp_dir)

    def capabilities(self) -> Capabilities:
        """What isolates the processes. Raises `SandboxUnavailable` before the first has said so."""
        if self._capabilities is None:
            raise SandboxUnavailable("the sandbox has not started")
        return self._capabilities

    async def take(self, wait_s: float) -> SandboxedProcess:
        """A warm process, to be given back to `retire`. Raises `SandboxUnavailable` after `wait_s`."""
        try:
            async with asyncio.timeout(wait_s):
                while (process := await self._ready.get()).ended.done():
                    process.close()
                return process
        except TimeoutError as error:
            raise SandboxUnavailable(f"no sandboxed process became free in {wait_s:g} s") from error

    def retire(self, process: SandboxedProcess) -> None:
        """Ends a process; its successor is forked once the kernel says that it has gone."""
        process.close()
        if self._link is not None and not process.ended.done():
            self._link.kill(process.id)

    async def _connect(self) -> None:
        """Starts a zygote with the best plan that the kernel allows."""
        self._refusals = {}
        for plan, layers in _PLANS.items():
            if layers & set(self._settings.without):
                self._refusals[plan] = SWITCHED_OFF
                continue
            if plan != "full":  # else each process mounts its own
                self._temp_dir = await asyncio.to_thread(_make_temp_dir, self._temp_dir)
            try:
                link, listener = await ZygoteLink.start(self._spec(plan))
            except PlanRefused as refused:
                self._refusals[plan] = str(refused)
                continue
            if listener is not None and self._outfit.on_listener is not None:
                await self._outfit.on_listener(listener)
            self._plan, self._link = plan, link
            link.watch(self._on_end, self._on_lost)
            self._fill()
            return
        raise SandboxUnavailable(f"no zygote could be started: {self._refusals['none']}")

    def _spec(self, plan: Plan) -> Spec:
        settings, outfit = self._settings, self._outfit
        return Spec(
            plan=plan,
            without=list(settings.without),
            javascript=_quickjs.__file__,
            packages=str(outfit.packages or ""),
            preload=list(settings.preload),
            environment=outfit.environment(),
            network=outfit.on_listener is not None,
            readable=[outfit.certificates] if outfit.certificates else [],
            temp_dir=self._temp_dir,
            cpu_s=settings.cpu_s,
            memory_bytes=settings.memory_mb << 20,
            temp_bytes=settings.temp_mb << 20,
            processes=settings.processes,
            open_files=settings.open_files,
            stdout_bytes=settings.stdout_bytes,
            output_bytes=settings.output_bytes,
        )

    def _fill(self) -> None:
        try:
            while self._link is not None and len(self._processes) < self._settings.pool_size:
                self._spawn(self._link)
        except (SandboxUnavailable, OSError) as error:
            logger.error("sandbox: no process could be started: %s", error)
            self._start(self._fill_later())

    async def _fill_later(self) -> None:
        await asyncio.sleep(_RESPAWN_DELAY_S)
        self._fill()

    def _spawn(self, link: ZygoteLink) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        process = SandboxedProcess(next(self._ids), ours, os.memfd_create("printed"))
        try:
            with theirs:
                link.spawn(process.id, theirs, process.output)
        except SandboxUnavailable:
            process.close()
            raise
        self._processes[process.id] = process
        self._start(self._warm_up(process))

    async def _warm_up(self, process: SandboxedProcess) -> None:
        """Waits until the process says that it is confined, and by what; then offers it."""
        try:
            async with asyncio.timeout(_WARM_UP_TIMEOUT_S):
                message = orjson.loads(await process.receive(_REPORT_BYTES))
        except (EOFError, OSError, ReplyTooLarge, ValueError) as error:
            message = {"refused": repr(error)}
        if "layers" in message:
            process.warm = True
            self._ready.put_nowait(process)
            self._settle_start(Capabilities.of(self._plan, self._refusals, message["layers"]))
        elif not self._closing:
            logger.error("sandbox: a process could not be confined: %s", message["refused"])
            self._settle_start(SandboxUnavailable(f"no process can be confined: {message['refused']}"))
            self.retire(process)

    def _settle_start(self, outcome: Capabilities | SandboxUnavailable) -> None:
        """Tells `open` of the first process; later ones are like it."""
        if self._first is None or self._first.done():
            return
        if isinstance(outcome, SandboxUnavailable):
            self._first.set_exception(outcome)
        else:
            self._first.set_result(outcome)

    def _on_end(self, process_id: int, ended: Ended) -> None:
        process = self._processes[process_id]
        self._forget(process, ended)
        if process.warm:
            self._fill()
            return
        # Whatever keeps processes from starting, forking at full speed would make it worse.
        if ended.error:
            logger.error("sandbox: no process could be started: %s", ended.error)
        self._start(self._fill_later())

    def _forget(self, process: SandboxedProcess, ended: Ended) -> None:
        del self._processes[process.id]
        if not process.ended.done():
            process.ended.set_result(ended)

    def _on_lost(self) -> None:
        logger.error("sandbox: the zygote has died; starting another")
        link, self._link = self._link, None
        for process in list(self._processes.values()):
            self._forget(process, Ended(zygote_lost=True))
        if link is not None and not self._closing:
            self._start(self._reconnect(link))

    async def _reconnect(self, lost: ZygoteLink) -> None:
        await lost.close()
        while self._link is None:
            try:
                await self._connect()
            except (SandboxUnavailable, OSError) as error:
                logger.error("sandbox: %s", error)
                await asyncio.sleep(_RESPAWN_DELAY_S)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _make_temp_dir(former: str) -> str:
    """Replaces the folder below which processes get theirs; nobody may pass through it, not list it."""
    _remove_temp_dir(former)
    folder = tempfile.mkdtemp(prefix="hopline-sandbox-")
    os.chmod(folder, 0o711)  # noqa: S103 - see above
    return folder


def _remove_temp_dir(folder: str) -> None:
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
