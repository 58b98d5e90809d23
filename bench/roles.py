"""A deployment whose roles are restarted one by one, each from one release or the other."""

import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.clickhouse import dsn
from bench.connection import Endpoint
from bench.deployment import ID_HEADER, Deployment, Job
from bench.fleet import Member, Processes, Worker, answers, lasting_port
from bench.releases import ROOT, Release
from cli.kafka.broker import EmbeddedBroker
from cli.kafka.settings import BrokerSettings
from transport.settings import KafkaSettings

_START_TIMEOUT_S = 90.0

Ready = Callable[[], Awaitable[bool]]
Make = Callable[[Release], tuple[Member, Ready]]


@dataclass(frozen=True, slots=True)
class Rolled:
    """One restart of one process."""

    seat: str
    release: str
    exit_code: int | None
    stopped_s: float
    """From SIGTERM to its end."""
    down_s: float
    """From SIGTERM until its successor is ready."""

    @property
    def clean(self) -> bool:
        """Whether the old process ended by itself, as one that has drained."""
        return self.exit_code == 0


class Seat:
    """The place of one process."""

    def __init__(self, name: str, make: Make) -> None:
        self.name = name
        self._make = make
        self._member: Member | None = None

    async def start(self, release: Release) -> None:
        """Returns when it is ready. Raises `StartFailed`."""
        self._member, ready = self._make(release)
        program = await self._member.start()
        await program.wait_until(ready, _START_TIMEOUT_S)

    async def roll(self, release: Release) -> Rolled:
        """SIGTERM, and one of that release in its place when it has ended. Raises `StartFailed`."""
        assert self._member is not None, "not started"
        began = time.monotonic()
        await self._member.stop()
        code, stopped = self._member.exit_code, time.monotonic()
        await self.start(release)
        return Rolled(self.name, release.name, code, stopped - began, time.monotonic() - began)

    async def stop(self) -> None:
        """Idempotent."""
        if self._member is not None:
            await self._member.stop()


class Roles(Processes):
    """A broker and a ClickHouse that stay, and around them two ingresses, two workers and a sink that are
    restarted."""

    def __init__(self, home: Path, release: Release) -> None:
        """All begin from `release`. `home` gets the state and the logs of all processes."""
        self.kafka = KafkaSettings()
        self.seats: list[Seat] = []
        self._home = home
        self._release = release
        self._api_key = f"hl_{secrets.token_urlsafe(24)}"
        self._secret_key = secrets.token_urlsafe(32)
        self._ports = [lasting_port(), lasting_port()]
        self._clickhouse_port = lasting_port()
        self.deployment = Deployment(self._addresses[1], self._api_key)

    def doors(self, job: Job) -> list[Endpoint]:
        """The endpoint of the job, at each of the ingresses."""
        path = job.endpoint.url.partition("//")[2].partition("/")[2]
        return [Endpoint(f"{address}/{path}", ID_HEADER) for address in self._addresses]

    @property
    def _addresses(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    async def _start(self, stack: AsyncExitStack) -> None:
        broker = EmbeddedBroker(BrokerSettings(data_dir=self._home, port=0))
        stack.push_async_callback(broker.stop)
        await broker.start(lambda _: None)
        self.kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        clickhouse = [sys.executable, "-m", "bench.chaos.clickhouse", "--port", str(self._clickhouse_port)]
        clickhouse += ["--directory", str(self._home / "clickhouse")]
        engine = Member("clickhouse", clickhouse, {"PYTHONPATH": str(ROOT)}, self._home / "clickhouse.log")
        stack.push_async_callback(engine.stop)
        program = await engine.start()
        await program.wait_until(
            lambda: answers(f"http://127.0.0.1:{self._clickhouse_port}/"), _START_TIMEOUT_S
        )
        self.seats = [Seat("sink", self._sink)]
        self.seats += [Seat(f"worker-{n}", self._worker(n)) for n in (1, 2)]
        self.seats += [Seat(f"ingress-{n}", self._ingress(n)) for n in (1, 2)]
        for seat in self.seats:
            stack.push_async_callback(seat.stop)
            await seat.start(self._release)

    def _sink(self, release: Release) -> tuple[Member, Ready]:
        port = lasting_port()
        own = {"HOPLINE_METRICS_PORT": str(port)}
        return self._member("sink", release, own), lambda: answers(f"http://127.0.0.1:{port}/metrics")

    def _worker(self, number: int) -> Make:
        def make(release: Release) -> tuple[Member, Ready]:
            name = f"worker-{number}"
            env = {**self._settings(), **release.env}
            worker = Worker(name, release.argv("worker"), env, self._home / f"{name}.log")
            return worker, worker.is_assigned

        return make

    def _ingress(self, number: int) -> Make:
        def make(release: Release) -> tuple[Member, Ready]:
            port, name = self._ports[number - 1], f"ingress-{number}"
            own = {"HOPLINE_PORT": str(port), "HOPLINE_SPOOL_DIR": str(self._home / "spools" / name)}
            return self._member(name, release, own), lambda: answers(f"http://127.0.0.1:{port}/health")

        return make

    def _member(self, name: str, release: Release, own: dict[str, str]) -> Member:
        role = name.partition("-")[0]
        env = {**self._settings(), **release.env, **own}
        return Member(name, release.argv(role), env, self._home / f"{name}.log")

    def _settings(self) -> dict[str, str]:
        return {
            "HOPLINE_KAFKA": self.kafka.bootstrap_servers,
            "HOPLINE_CLICKHOUSE": f"{dsn(self._clickhouse_port)}/hopline",
            "HOPLINE_DATA_DIR": str(self._home),
            "HOPLINE_API_KEY": self._api_key,
            "HOPLINE_SECRET_KEY": self._secret_key,
            # So that tasks and their results go from one release to the other and back.
            "HOPLINE_EVERY_NODE_A_HOP": "true",
        }
