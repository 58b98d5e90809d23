"""The embedded broker as a child process: started, watched, stopped."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cli.errors import BrokerProblem
from cli.kafka import logfile, preflight
from cli.kafka.config import LOG_DIR, Cluster, Node, cluster_id_of, new_cluster_id, server_properties
from cli.kafka.diagnosis import PickedPortTaken, cause_of_death
from cli.kafka.jars import ensure_jars
from cli.kafka.java import find_java, java_candidates
from cli.kafka.jvm import Jvm
from cli.kafka.readiness import answers
from cli.kafka.settings import BrokerSettings
from cli.tether import tethered

_STOP_TIMEOUT_S = 8.0
_FORMAT_TIMEOUT_S = 60.0
_SILENCE_S = 60.0
_START_TIMEOUT_S = 600.0
_PORT_ATTEMPTS = 3


class EmbeddedBroker:
    """One Kafka node whose data outlives it and which does not outlive its parent.

    Used from one event loop, which must run in a thread that lasts (see `cli.tether`). The process has a
    session of its own: a Ctrl-C in the terminal does not reach it before its parent has drained.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        java: Sequence[Path] | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        """`java`: what to try to run on, best first; what this machine has if None.

        `cluster`: it is the node there that has the port of the settings; a cluster by itself if None.
        """
        self._settings = settings
        self._cluster = cluster
        self._home = settings.home
        self._java = java_candidates(settings.java_home) if java is None else java
        self._port = settings.port
        self._log_start = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def bootstrap_servers(self) -> str:
        """`host:port` for clients; final once started."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Of the last process that was started; the broker itself on Linux."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Of the last process that was started; None while it runs; negative if a signal ended it."""
        return self._process.returncode if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def log_path(self) -> Path:
        """What Kafka logs; nothing of it reaches the terminal."""
        return self._home / "kafka.log"

    async def start(self, on_progress: Callable[[str], None]) -> None:
        """Returns when the broker answers; `on_progress` gets a line for each step that takes time.

        A node of a cluster answers once most of the nodes are there: start them side by side.
        Raises `BrokerProblem`. Leaves no process behind when it raises or is cancelled.
        """
        await asyncio.to_thread(preflight.check_home, self._home)
        preflight.check_lock(self._home / LOG_DIR)
        if self._settings.port:
            preflight.check_port(self._settings.port)
        jvm = Jvm(await find_java(self._java), await ensure_jars(self._settings, on_progress))
        on_progress("Starting Apache Kafka")
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            try:
                await self._start_once(jvm)
                break
            except PickedPortTaken:
                if attempt == _PORT_ATTEMPTS:
                    raise

    async def wait(self) -> int:
        """The exit code of the broker once it has ended, negative if a signal did it; 143 after `stop`."""
        assert self._process is not None, "not started"
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that takes longer than 8 s; the data is whole either way. Idempotent."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT_S)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL: the system has what was written, and Kafka recovers it at the next start. Idempotent."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    def cause_of_death(self) -> BrokerProblem:
        """Why the broker has ended by itself."""
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return BrokerProblem(f"Kafka was killed by {signal.Signals(-code).name}: start it again")
        lines = logfile.lines_since(self.log_path, self._log_start)
        return cause_of_death(lines, self._home, self._settings.port)

    async def _start_once(self, jvm: Jvm) -> None:
        self._port = self._settings.port or preflight.free_port()
        self._log_start = logfile.rotate(self.log_path)
        try:
            temporary = self._lay_out()
            if cluster_id_of(self._home / LOG_DIR) is None:
                await self._format(jvm)
            await self._spawn(jvm.broker(self._settings.heap_mb, temporary))
            await self._until_it_answers()
        except OSError as error:
            await self.kill()
            raise preflight.not_writable(self._home, error) from error
        except BaseException:
            await self.kill()
            raise

    def _lay_out(self) -> Path:
        """Writes the configuration; returns an empty directory for temporary files."""
        node, nodes = self._node()
        (self._home / "server.properties").write_text(server_properties(node, nodes))
        temporary = self._home / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        return temporary

    def _node(self) -> tuple[Node, tuple[Node, ...]]:
        """Which one this is, and all there are."""
        if self._cluster is None:
            alone = Node(1, self._port, preflight.free_port())
            return alone, (alone,)
        nodes = self._cluster.nodes
        return next(node for node in nodes if node.port == self._port), nodes

    async def _format(self, jvm: Jvm) -> None:
        """Prepares an empty data directory. Interrupted, it is done again: `meta.properties` comes last."""
        cluster_id = self._cluster.id if self._cluster else new_cluster_id()
        arguments = (f"--cluster-id={cluster_id}", "--config=server.properties")
        await self._spawn(jvm.tool("kafka.tools.StorageTool", "format", *arguments))
        try:
            failed = await asyncio.wait_for(self.wait(), _FORMAT_TIMEOUT_S)
        except TimeoutError as error:
            raise self._stuck(_FORMAT_TIMEOUT_S) from error
        if failed:
            raise self.cause_of_death()

    async def _spawn(self, argv: list[str]) -> None:
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tethered(argv),
                cwd=self._home,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def _until_it_answers(self) -> None:
        """Bounded by the silence of the log: after an unclean stop Kafka reads its data, and says so."""
        assert self._process is not None
        cluster_id = cluster_id_of(self._home / LOG_DIR)
        started = heard = time.monotonic()
        logged = -1
        while not (cluster_id and await answers(self._port, cluster_id)):
            if self._process.returncode is not None:
                raise self.cause_of_death()
            now, size = time.monotonic(), self.log_path.stat().st_size
            heard, logged = (now, size) if size != logged else (heard, logged)
            if now - heard > _SILENCE_S or now - started > _START_TIMEOUT_S:
                raise self._stuck(now - started)
            await asyncio.sleep(0.05)

    def _stuck(self, seconds: float) -> BrokerProblem:
        return BrokerProblem(f"Kafka does not answer after {seconds:.0f} s: its log is {self.log_path}")
