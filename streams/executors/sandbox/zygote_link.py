"""The worker's end of a zygote: starts the process, sends it orders, hears of ends."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from streams.executors.sandbox.errors import PlanRefused, SandboxUnavailable
from streams.executors.sandbox.inside.spec import Spec

_ROOT = Path(__file__).parents[3]
# Appended and taken away again: our folder must not shadow the standard library, nor stay importable.
_BOOT = (
    "import sys; sys.path.append({root!r}); "
    "from streams.executors.sandbox.inside.zygote import main; sys.path.pop(); main(int(sys.argv[1]))"
)
_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 5.0
_RETRY_S = 0.05
_MESSAGE_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """How a sandboxed process ended."""

    signal: int = 0
    code: int = 0
    cpu_s: float = 0.0
    error: str | None = None
    """Why it never began."""
    zygote_lost: bool = False


class ZygoteLink:
    """One zygote process. Not to be used after `on_lost` has been called or `close` has returned."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._loop = asyncio.get_running_loop()
        self._watching = False

    @classmethod
    async def start(cls, spec: Spec) -> "tuple[ZygoteLink, socket.socket | None]":
        """The link, and the listening socket that a spec with a network asks for.

        Raises `PlanRefused` where the kernel does not allow the plan of the spec.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            link = cls(_launch(theirs), ours)
        fds: list[int] = []
        try:
            ours.send(orjson.dumps(asdict(spec)))
            async with asyncio.timeout(_START_TIMEOUT_S):
                await _readable(ours)
            answer, fds, _, _ = socket.recv_fds(ours, _MESSAGE_BYTES, 1)
        except (TimeoutError, OSError) as error:
            answer = orjson.dumps({"refused": f"the zygote did not start: {error!r}"})
        message = orjson.loads(answer) if answer else {"refused": "the zygote ended during its start"}
        if "refused" in message:
            await link.close()
            raise PlanRefused(message["refused"])
        return link, socket.socket(fileno=fds[0]) if fds else None

    def watch(self, on_end: Callable[[int, Ended], None], on_lost: Callable[[], None]) -> None:
        """Calls `on_end` for each process that ends, and `on_lost` once when the zygote is gone."""
        self._watching = True
        self._loop.add_reader(self._control.fileno(), self._receive, on_end, on_lost)

    def spawn(self, process_id: int, connection: socket.socket, output: int) -> None:
        """Orders a process that serves `connection` and prints into the descriptor `output`."""
        payload = orjson.dumps({"spawn": process_id})
        try:
            socket.send_fds(self._control, [payload], [connection.fileno(), output])
        except OSError as error:
            raise SandboxUnavailable(f"the zygote takes no orders: {error}") from error

    def kill(self, process_id: int) -> None:
        """Orders its end; one that has ended already is ignored."""
        try:
            self._control.send(orjson.dumps({"kill": process_id}))
        except BlockingIOError:
            self._loop.call_later(_RETRY_S, self.kill, process_id)  # or a busy script would live on
        except OSError:
            return  # a lost zygote has taken its processes with it

    async def close(self) -> None:
        """Ends the zygote and with it all its processes; returns when they are gone."""
        self._unwatch()
        self._control.close()
        try:
            await asyncio.to_thread(self._process.wait, _STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.to_thread(self._process.wait)

    def _receive(self, on_end: Callable[[int, Ended], None], on_lost: Callable[[], None]) -> None:
        try:
            payload = self._control.recv(_MESSAGE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            payload = b""
        if not payload:
            self._unwatch()
            on_lost()
            return
        message: dict[str, Any] = orjson.loads(payload)
        on_end(message.pop("exited"), Ended(**message))

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._control.fileno())


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection.fileno())


def _launch(control: socket.socket) -> "subprocess.Popen[bytes]":
    boot = _BOOT.format(root=str(_ROOT))
    return subprocess.Popen(  # noqa: S603 - our own interpreter and line
        [sys.executable, "-I", "-S", "-X", "utf8", "-c", boot, str(control.fileno())],
        env={},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[control.fileno()],
        start_new_session=True,  # a Ctrl-C at the terminal is the worker's to handle
    )
