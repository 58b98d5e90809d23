"""The whole system of `hopline up`: broker and workers as children, ingress and sink in this process."""

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cli.errors import CommandFailed
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from cli.processes import Child
from cli.serving.topics import ensure_topics
from cli.settings import resolve
from ingress.app import build_app
from ingress.server import serve
from ingress.settings import IngressSettings
from sinks.app import Sink
from sinks.settings import SinkSettings
from transport.clickhouse import ClickHouse
from transport.registry import open_codec
from transport.settings import ClickHouseSettings, KafkaSettings, StorageSettings
from transport.storage import Storage

log = logging.getLogger(__name__)

_DRAIN_S = 2.0
"""Of each role, unless HOPLINE_DRAIN_TIMEOUT_S says otherwise: with the broker's own time, a Ctrl-C is over
within 10 s."""

_WORKER_STOP_S = 6.0
"""For what a worker does when it has drained: to end its turn, commit and leave."""

_KAFKA_PORT = 9092
"""Where a stranger's tools look for a broker, if it is free."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class SystemSettings:
    """What `hopline up` was asked for, resolved."""

    data_dir: Path
    port: int
    workers: int
    api_key: str
    secret_key: str
    receiver_url: str
    egress_allow: str
    """What the operator allows nodes to connect to, besides the samples' receiver."""
    kafka: KafkaSettings
    clickhouse: ClickHouseSettings
    storage: StorageSettings
    embedded_broker: bool
    """Start one, rather than use the one at `kafka.bootstrap_servers`."""


class System:
    """Started part by part against the flow, so that whoever takes events comes last; stopped with the flow,
    so that each part drains into the next."""

    def __init__(self, settings: SystemSettings, tell: Tell) -> None:
        self.url = ""
        """Of the HTTP API, once it is up."""
        self.bootstrap_servers = ""
        """Of the broker, likewise."""
        self._settings = settings
        self._tell = tell
        self._parts: set[asyncio.Task[None]] = set()
        """Tasks that end only when something is wrong, or when the system stops."""

    async def run(self, use: Callable[["System"], Coroutine[Any, Any, None]], stop: asyncio.Event) -> None:
        """Starts everything, runs `use(self)`, and stops when that has ended or `stop` is set.

        Raises `CommandFailed` for whatever keeps a part from starting, or ends it.
        """
        async with AsyncExitStack() as stack:
            starting = asyncio.create_task(self._start(stack))
            stopped = asyncio.create_task(stop.wait())
            if await _first(starting, stopped):
                using = asyncio.create_task(use(self))
                await _first(using, stopped, *self._parts)
            stopped.cancel()

    async def _start(self, stack: AsyncExitStack) -> None:
        self._check_port()
        kafka = await self._kafka(stack)
        self.bootstrap_servers = kafka.bootstrap_servers
        created = await ensure_topics(kafka)
        self._tell(f"Topics ready, {len(created)} of them new" if created else "Topics ready")
        clickhouse = await self._sink(stack, kafka)
        await self._workers(stack, kafka)
        await self._ingress(stack, kafka, clickhouse)

    async def _kafka(self, stack: AsyncExitStack) -> KafkaSettings:
        kafka = self._settings.kafka
        if not self._settings.embedded_broker:
            self._tell(f"Using Kafka at {kafka.bootstrap_servers}")
            return kafka
        broker = EmbeddedBroker(BrokerSettings(data_dir=self._settings.data_dir, port=_port(_KAFKA_PORT)))
        stack.push_async_callback(broker.stop)
        await broker.start(self._tell)
        self._tell(f"Kafka ready at {broker.bootstrap_servers}")
        self._watch(stack, _until_it_dies(broker))
        return kafka.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})

    async def _sink(self, stack: AsyncExitStack, kafka: KafkaSettings) -> ClickHouse:
        """In this process, since the embedded engine belongs to one process; ingress reads through it."""
        clickhouse = await ClickHouse.connect(self._settings.clickhouse)
        stack.push_async_callback(clickhouse.close)
        codec = await asyncio.to_thread(open_codec, kafka)
        sink = Sink(resolve(SinkSettings, drain_timeout_s=_drain_s()), kafka, codec, clickhouse)
        await sink.prepare()
        stopping = asyncio.Event()
        sinking = self._watch(stack, sink.run_until(stopping))
        stack.push_async_callback(_end, sinking, stopping)
        self._tell(f"ClickHouse ready, {self._settings.clickhouse.path or 'on its server'}")
        return clickhouse

    async def _workers(self, stack: AsyncExitStack, kafka: KafkaSettings) -> None:
        logs = self._settings.data_dir / "logs"
        logs.mkdir(exist_ok=True)
        argv = [sys.executable, "-m", "cli.main", "worker"]
        names = [f"worker-{number}" for number in range(1, self._settings.workers + 1)]
        stop_s = _drain_s() + _WORKER_STOP_S
        children = [
            Child(name, argv, self._environment(kafka, name), logs / f"{name}.log", stop_s) for name in names
        ]

        async def stop() -> None:
            await asyncio.gather(*(child.stop() for child in children))

        stack.push_async_callback(stop)
        for child in children:
            await child.start()

    def _environment(self, kafka: KafkaSettings, worker: str) -> dict[str, str]:
        receiver = self._settings.receiver_url.removeprefix("http://").split("/")[0]
        return {
            **os.environ,
            "HOPLINE_KAFKA": kafka.bootstrap_servers,
            "HOPLINE_WORKER_ID": worker,
            "HOPLINE_DRAIN_TIMEOUT_S": f"{_drain_s():g}",
            "HOPLINE_DATA_DIR": str(self._settings.data_dir.absolute()),
            "HOPLINE_SECRET_KEY": self._settings.secret_key,
            # Links to files are for whoever fetches them, on this machine if nothing else has been said.
            "HOPLINE_PUBLIC_URL": os.environ.get("HOPLINE_PUBLIC_URL") or self._local_url,
            "HOPLINE_KNOWLEDGE_URL": os.environ.get("HOPLINE_KNOWLEDGE_URL") or self._local_url,
            # The samples post to a receiver on this machine, which the guard would refuse.
            "HOPLINE_EGRESS_ALLOW": ",".join(filter(None, (self._settings.egress_allow, receiver))),
        }

    async def _ingress(self, stack: AsyncExitStack, kafka: KafkaSettings, clickhouse: ClickHouse) -> None:
        settings = IngressSettings(
            port=self._settings.port,
            api_key=SecretStr(self._settings.api_key),
            secret_key=SecretStr(self._settings.secret_key),
            drain_timeout_s=_drain_s(),
            spool_dir=self._settings.data_dir / "spool",
        )
        storage = Storage.open(self._settings.storage)
        app = build_app(settings, kafka, storage, clickhouse)
        listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        stopping = asyncio.Event()
        serving = self._watch(
            stack,
            serve(app, settings, stopping, ready=listening.set_result),
        )
        stack.push_async_callback(_end, serving, stopping)
        try:
            await _first(listening, serving)
        except OSError as refused:
            if refused.errno != errno.EADDRINUSE:
                raise
            raise _taken(settings.port) from refused
        self.url = f"http://{settings.host}:{listening.result()}"
        self._tell(f"Taking events at {self.url}")

    def _check_port(self) -> None:
        """Before anything is started. Raises `CommandFailed`."""
        if _is_taken(self._settings.port):
            raise _taken(self._settings.port)

    @property
    def _local_url(self) -> str:
        return f"http://127.0.0.1:{self._settings.port}"

    def _watch(self, stack: AsyncExitStack, part: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(part)
        self._parts.add(task)
        stack.callback(task.cancel)
        return task


def _drain_s() -> float:
    asked = resolve(IngressSettings)
    return asked.drain_timeout_s if "drain_timeout_s" in asked.model_fields_set else _DRAIN_S


def _taken(port: int) -> CommandFailed:
    return CommandFailed(f"port {port} is taken by another program: stop it, or choose another with --port")


def _port(wanted: int) -> int:
    """The port if it is free, else 0, which picks another."""
    return 0 if _is_taken(wanted) else wanted


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as refused:
            return refused.errno == errno.EADDRINUSE
    return False


async def _until_it_dies(broker: EmbeddedBroker) -> None:
    await broker.wait()
    raise broker.cause_of_death()


async def _end(serving: asyncio.Task[None], stopping: asyncio.Event) -> None:
    stopping.set()
    await asyncio.wait({serving})


async def _first(awaited: asyncio.Future[Any], *others: asyncio.Future[Any]) -> bool:
    """Waits for the first of them to end, and raises what it raised; whether it was `awaited`."""
    done, _ = await asyncio.wait({awaited, *others}, return_when=asyncio.FIRST_COMPLETED)
    if awaited not in done:
        awaited.cancel()
        await asyncio.gather(awaited, return_exceptions=True)
    for task in done:
        task.result()
    return awaited in done
