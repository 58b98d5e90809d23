"""A whole Hopline, each part a process: workers, ingresses and sinks on three brokers and one ClickHouse."""

import secrets
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.clickhouse import dsn
from bench.chaos.cluster import REPLICAS, ThreeBrokers
from bench.chaos.places import Place
from bench.deployment import Deployment
from bench.fleet import Member, Processes, Worker, answers, lasting_port
from bench.progress import Say
from transport.settings import KafkaSettings

_START_TIMEOUT_S = 90.0
# HOPLINE_DRAIN_TIMEOUT_S, and what docs/upgrades.md says that may come on top while brokers are away.
_STOP_TIMEOUT_S = 30.0
_HOPLINE = str(Path(sys.executable).with_name("hopline"))
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Crew:
    """How many there are of each role."""

    workers: int = 3
    ingresses: int = 2
    sinks: int = 2
    partitions: int = 6


class ChaosFleet(Processes):
    """`home` gets the state of all, and a log of each."""

    def __init__(self, home: Path, seed: int, say: Say, crew: Crew | None = None) -> None:
        """`seed` is the receiver's: it decides which of the side effects fail."""
        self.home = home
        self.api_key = f"hl_{secrets.token_urlsafe(24)}"
        self.receiver_journal = home / "receiver.jsonl"
        self._say = say
        self._seed = seed
        self._secret_key = secrets.token_urlsafe(32)
        self._crew = crew or Crew()
        self._receiver_port, self._clickhouse_port = lasting_port(), lasting_port()
        self._ports = [lasting_port() for _ in range(self._crew.ingresses)]

    @property
    def addresses(self) -> list[str]:
        """URLs of the ingresses, without a path."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @property
    def receiver_url(self) -> str:
        """Where side effects go."""
        return f"http://127.0.0.1:{self._receiver_port}"

    @property
    def places(self) -> list[Place]:
        """All that may be struck: everything but the receiver, which is the witness."""
        return [*self.brokers, self.clickhouse, *self.sinks, *self.workers, *self.ingresses]

    def spool_of(self, ingress: Place) -> Path:
        """The folder of its events that the brokers do not have yet."""
        return self.home / "spools" / ingress.name

    def stores_of(self, worker: Place) -> Path:
        """The folder of its tables."""
        return self.home / "workers" / worker.name

    async def _start(self, stack: AsyncExitStack) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.cluster = await stack.enter_async_context(ThreeBrokers(self.home))
        self.kafka = KafkaSettings(
            bootstrap_servers=self.cluster.bootstrap_servers,
            replication_factor=REPLICAS,
            partitions=self._crew.partitions,
        )
        self.brokers = [Place(broker, self._say) for broker in self.cluster.brokers]
        self._say("three brokers are one Kafka")
        await self._start_one(stack, self._receiver(), lambda: answers(self.receiver_url))
        clickhouse = self._clickhouse()
        await self._start_one(stack, clickhouse, self._clickhouse_answers)
        self.clickhouse = Place(clickhouse, self._say)
        # One after the other: the first of them makes the topics and the tables.
        self.sinks = await self._start_role(stack, "sink", self._crew.sinks, self._sink)
        self.workers = await self._start_role(stack, "worker", self._crew.workers, self._worker)
        self.ingresses = await self._start_role(stack, "ingress", self._crew.ingresses, self._ingress)
        self.deployments = [Deployment(url, self.api_key) for url in self.addresses]
        self._say(f"{len(self.places)} processes and a receiver are up")

    async def _start_role(
        self,
        stack: AsyncExitStack,
        role: str,
        count: int,
        make: Callable[[str, int], tuple[Member, Callable[[], Awaitable[bool]]]],
    ) -> Sequence[Place]:
        places = []
        for number in range(1, count + 1):
            member, ready = make(f"{role}-{number}", number - 1)
            await self._start_one(stack, member, ready)
            places.append(Place(member, self._say))
        return places

    async def _start_one(
        self, stack: AsyncExitStack, member: Member, ready: Callable[[], Awaitable[bool]]
    ) -> None:
        stack.push_async_callback(member.stop)
        program = await member.start()
        await program.wait_until(ready, _START_TIMEOUT_S)

    def _receiver(self) -> Member:
        argv = [sys.executable, "-m", "bench.chaos.receiver", "--port", str(self._receiver_port)]
        argv += ["--journal", str(self.receiver_journal), "--seed", str(self._seed)]
        return self._member("receiver", argv)

    def _clickhouse(self) -> Member:
        argv = [sys.executable, "-m", "bench.chaos.clickhouse", "--port", str(self._clickhouse_port)]
        return self._member("clickhouse", [*argv, "--directory", str(self.home / "clickhouse")])

    async def _clickhouse_answers(self) -> bool:
        return await answers(f"http://127.0.0.1:{self._clickhouse_port}/")

    def _sink(self, name: str, _: int) -> tuple[Member, Callable[[], Awaitable[bool]]]:
        port = lasting_port()
        sink = self._member(name, [_HOPLINE, "sink"], {"HOPLINE_METRICS_PORT": str(port)})
        return sink, lambda: answers(f"http://127.0.0.1:{port}/metrics")

    def _worker(self, name: str, _: int) -> tuple[Member, Callable[[], Awaitable[bool]]]:
        worker = Worker(
            name, [_HOPLINE, "worker"], self._settings(), self._log(name), stop_timeout_s=_STOP_TIMEOUT_S
        )
        return worker, worker.is_assigned

    def _ingress(self, name: str, index: int) -> tuple[Member, Callable[[], Awaitable[bool]]]:
        own = {"HOPLINE_PORT": str(self._ports[index]), "HOPLINE_SPOOL_DIR": str(self.home / "spools" / name)}
        ingress = self._member(name, [_HOPLINE, "ingress"], own)
        return ingress, lambda: answers(f"{self.addresses[index]}/health")

    def _member(self, name: str, argv: list[str], own: dict[str, str] | None = None) -> Member:
        env = {**self._settings(), **(own or {})}
        return Member(name, argv, env, self._log(name), stop_timeout_s=_STOP_TIMEOUT_S)

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def _settings(self) -> dict[str, str]:
        return {
            "HOPLINE_KAFKA": self.kafka.bootstrap_servers,
            "HOPLINE_PARTITIONS": str(self.kafka.partitions),
            "HOPLINE_REPLICATION_FACTOR": str(self.kafka.replication_factor),
            "HOPLINE_CLICKHOUSE": f"{dsn(self._clickhouse_port)}/hopline",
            "HOPLINE_DATA_DIR": str(self.home),
            "HOPLINE_API_KEY": self.api_key,
            "HOPLINE_SECRET_KEY": self._secret_key,
            "HOPLINE_EGRESS_ALLOW": self.receiver_url.removeprefix("http://"),
            "HOPLINE_MANUAL_INTERVAL_S": "0",
            # A run may wait in a backlog for as long as the storm lasts, and is not to end for that.
            "HOPLINE_RUN_MAX_S": "7200",
            "PYTHONPATH": str(_ROOT),
        }
