"""A Hopline deployment in separate processes that can be killed one by one: broker, front, workers."""

import random
import secrets
import shutil
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import psutil

from bench.deployment import Deployment
from bench.procs import tree
from bench.program import Program
from cli.errors import BrokerProblem
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.preflight import check_port
from cli.kafka.settings import BrokerSettings
from transport.settings import KafkaSettings

_START_TIMEOUT_S = 90.0

# The system gives these to nobody by itself, on Linux and elsewhere.
_LASTING_PORTS = range(18_000, 30_000)


def lasting_port() -> int:
    """A free port that stays free while whoever listens there is down: no connection is made from it.

    Blocks for a moment.
    """
    while True:
        port = random.SystemRandom().choice(_LASTING_PORTS)
        with suppress(BrokerProblem):
            check_port(port)
            return port


class Member:
    """One process of the fleet, under the same settings each time it is started."""

    def __init__(
        self, name: str, argv: list[str], env: dict[str, str], log: Path, *, stop_timeout_s: float = 15.0
    ) -> None:
        """`stop_timeout_s`: what a SIGTERM may take."""
        self.name = name
        self._stop_timeout_s = stop_timeout_s
        self._argv = argv
        self._env = env
        self._log = log
        self._program: Program | None = None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._program is not None and self._program.exit_code is None

    @property
    def pid(self) -> int:
        """Of the process as it runs now."""
        assert self._program is not None, "not started"
        return self._program.pid

    @property
    def exit_code(self) -> int | None:
        """Of the process that ran last; None while it runs; negative if a signal ended it."""
        assert self._program is not None, "not started"
        return self._program.exit_code

    async def wait(self) -> int:
        """Until the process that runs now has ended; its exit code."""
        assert self._program is not None, "not started"
        return await self._program.wait()

    async def start(self) -> Program:
        """Returns once the process exists."""
        assert not self.running, f"{self.name} runs already"
        self._program = await Program.start(self.name, self._argv, log=self._log, env=self._env)
        return self._program

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._program is not None, "not started"
        await self._program.kill()

    async def stop(self) -> bool:
        """SIGTERM; whether it ended by itself in time. Idempotent, also before `start`."""
        return await self._program.stop(self._stop_timeout_s) if self._program is not None else True

    def freeze(self) -> None:
        """SIGSTOP to all of its processes: it keeps its connections, and says nothing. `thaw` ends it."""
        signal_tree(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT. Harmless for who is not frozen, or has ended."""
        signal_tree(self.pid, signal.SIGCONT)


def signal_tree(pid: int, number: signal.Signals) -> None:
    """To this process and all below it; those that have ended are left out."""
    for process in tree([pid]):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


class Worker(Member):
    """A `hopline worker` with its tables on RocksDB."""

    def __init__(
        self, name: str, argv: list[str], env: dict[str, str], log: Path, *, stop_timeout_s: float = 15.0
    ) -> None:
        self._metrics = lasting_port()
        own = {"HOPLINE_WORKER_ID": name, "HOPLINE_METRICS_PORT": str(self._metrics)}
        super().__init__(
            name, argv, {**env, "HOPLINE_STORE": "rocksdb", **own}, log, stop_timeout_s=stop_timeout_s
        )

    async def metric(self, name: str) -> float:
        """The sum over all labels, since the process started; 0 while it does not answer."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http,
                http.get(f"http://127.0.0.1:{self._metrics}/metrics") as answer,
            ):
                lines = (await answer.text()).splitlines()
        except (aiohttp.ClientError, TimeoutError):
            return 0.0
        return sum(float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    async def is_assigned(self) -> bool:
        """Whether it has partitions, with their tables recovered."""
        return await self.metric("hopline_assigned_partitions") > 0


async def answers(url: str) -> bool:
    """Whether a server is there, whatever it says."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http,
            http.get(url),
        ):
            return True
    except (aiohttp.ClientError, TimeoutError):
        return False


class Processes(ABC):
    """Used as an async context: starts everything, and leaves no process behind."""

    _stack: AsyncExitStack

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._stack = starting.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @abstractmethod
    async def _start(self, stack: AsyncExitStack) -> None:
        """Starts all, and puts how each is stopped on the stack before it is."""


class Fleet(Processes):
    """A broker, a front and workers.

    `front` is the process that holds ingress and sink. The broker is killed by nobody.
    """

    def __init__(self, home: Path, *, workers: int = 2, env: Mapping[str, str] | None = None) -> None:
        """`home` is emptied first: it gets the state and the logs of all processes. `env`: more settings."""
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        port, self.api_key = lasting_port(), f"hl_{secrets.token_urlsafe(24)}"
        self.home = home
        self._env = env or {}
        self._worker_count = workers
        self._port = port
        self.deployment = Deployment(f"http://127.0.0.1:{port}", self.api_key)
        self.kafka = KafkaSettings()
        self.broker_pid = 0
        self.workers: list[Worker] = []

    async def start_front(self) -> None:
        """Returns when the API answers. Raises `StartFailed`."""
        program = await self.front.start()
        await program.wait_until(self.deployment.is_up, _START_TIMEOUT_S)

    async def start_worker(self, worker: Worker) -> None:
        """Returns when it has its partitions. Raises `StartFailed`."""
        program = await worker.start()
        await program.wait_until(worker.is_assigned, _START_TIMEOUT_S)

    async def _start(self, stack: AsyncExitStack) -> None:
        broker = EmbeddedBroker(BrokerSettings(data_dir=self.home, port=0))
        stack.push_async_callback(broker.stop)
        await broker.start(lambda _: None)
        assert broker.pid is not None
        self.broker_pid = broker.pid
        self.kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        env = self._settings()
        front = [sys.executable, "-m", "bench.front"]
        self.front = Member("front", front, env, self.home / "front.log")
        stack.push_async_callback(self.front.stop)
        await self.start_front()
        for number in range(1, self._worker_count + 1):
            name = f"worker-{number}"
            hopline = str(Path(sys.executable).with_name("hopline"))
            worker = Worker(name, [hopline, "worker"], env, self.home / f"{name}.log")
            stack.push_async_callback(worker.stop)
            await self.start_worker(worker)
            self.workers.append(worker)

    def _settings(self) -> dict[str, str]:
        return {
            "HOPLINE_KAFKA": self.kafka.bootstrap_servers,
            "HOPLINE_DATA_DIR": str(self.home),
            "HOPLINE_PORT": str(self._port),
            "HOPLINE_API_KEY": self.api_key,
            "HOPLINE_SECRET_KEY": secrets.token_urlsafe(32),
            "PYTHONPATH": str(Path(__file__).parents[1]),
            **self._env,
        }
