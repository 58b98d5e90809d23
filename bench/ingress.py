"""What accepting a webhook costs beside a bare aiohttp handler: `python -m bench.ingress` (HOPLINE_KAFKA).

The ingress and `bench.baselines`, each on uvloop in a process of its own, get the same requests from the same
driver, in turn.
"""

import argparse
import asyncio
import json
import multiprocessing
import signal
import statistics
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection as Pipe

import aiohttp
import uvloop
from pydantic import SecretStr

from bench.baselines import BASELINES
from bench.connection import Endpoint
from bench.load import closed_loop
from bench.orders import batch_name, orders
from bench.procs import usage
from cli.garbage import collect_rarely
from ingress.app import build_app
from ingress.server import serve
from ingress.settings import IngressSettings
from transport.admin import create_topics
from transport.settings import KafkaSettings, StorageSettings
from transport.storage import Storage

_API_KEY = "bench-ingress"
_WARM_UP_S = 0.3
_READY_TIMEOUT_S = 90
_GRAPH = {
    "name": "bench-ingress",
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"id": "e", "source": "start", "target": "end", "sourceHandle": "source"}],
}


@dataclass(frozen=True)
class Figures:
    """Of one server. CPU is that of its process, librdkafka's threads included."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us_per_request: float
    refusals: int


def _run_server(kind: str, pipe: Pipe) -> None:
    """In the child: sends the port once it listens, ends at SIGTERM."""

    async def main() -> None:
        settings = IngressSettings(port=0, api_key=SecretStr(_API_KEY))
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        kafka = KafkaSettings()
        await create_topics(kafka)
        collect_rarely()
        if kind in BASELINES:
            await BASELINES[kind](stopping, pipe.send)
        else:
            app = build_app(settings, kafka, Storage.open(StorageSettings()))
            await serve(app, settings, stopping, ready=pipe.send)

    uvloop.run(main())


@contextmanager
def _server(kind: str) -> Iterator[tuple[int, int]]:
    """(pid, port) of a server that listens."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_server, args=(kind, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(_READY_TIMEOUT_S):
            raise TimeoutError(f"the {kind} server has not listened within {_READY_TIMEOUT_S} s")
        yield process.pid or 0, ours.recv()
    finally:
        process.terminate()
        process.join()


async def _webhook_id(base: str) -> str:
    """Of a new trigger on a published workflow."""
    headers = {"Authorization": f"Bearer {_API_KEY}"}
    async with aiohttp.ClientSession(base, headers=headers, raise_for_status=True) as session:
        imported = await session.post("/api/v1/workflows/import?publish=true", json=_GRAPH)
        workflow_id = (await imported.json())["workflow_id"]
        trigger = await session.post("/api/v1/triggers", json={"workflow_id": workflow_id})
        return str((await trigger.json())["config"]["webhook_id"])


@dataclass
class Target:
    """A server under measurement, and what it has shown in each round."""

    pid: int
    endpoint: Endpoint
    rates: list[float] = field(default_factory=list)
    """Accepted requests a second."""
    costs: list[float] = field(default_factory=list)
    """CPU microseconds a request."""
    ack_ms: list[float] = field(default_factory=list)
    refusals: int = 0

    async def round(self, seconds: float, connections: int) -> None:
        """One more round, after a moment to get warm."""
        source = orders(batch_name("ing"))
        for duration in (_WARM_UP_S, seconds):
            before = usage([self.pid])
            posted = await closed_loop(
                self.endpoint, source, connections=connections, seconds=duration, on_progress=lambda _: None
            )
        accepted = len(posted.ack_ms)
        self.rates.append(accepted / seconds)
        self.costs.append((usage([self.pid]) - before).cpu_s / accepted * 1e6)
        self.ack_ms.extend(posted.ack_ms.values())
        self.refusals += posted.refusals.total()

    def figures(self) -> Figures:
        """Medians over the rounds."""
        answers = sorted(self.ack_ms)
        return Figures(
            requests_per_s=round(statistics.median(self.rates)),
            p50_ms=round(statistics.median(answers), 2),
            p99_ms=round(answers[int(len(answers) * 0.99)], 2),
            cpu_us_per_request=round(statistics.median(self.costs), 1),
            refusals=self.refusals,
        )


async def _main(rounds: int, seconds: float, connections: int) -> None:
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(_server(kind)) for kind in (*BASELINES, "ingress")}
        bases = {kind: f"http://127.0.0.1:{port}" for kind, (_, port) in servers.items()}
        paths = dict.fromkeys(BASELINES, "/triggers/webhook/any")
        paths["ingress"] = f"/triggers/webhook/{await _webhook_id(bases['ingress'])}"
        targets = {
            kind: Target(pid, Endpoint(bases[kind] + paths[kind], "x-github-delivery"))
            for kind, (pid, _) in servers.items()
        }
        # In turn, so that what else the machine does falls on all of them.
        for _ in range(rounds):
            for target in targets.values():
                await target.round(seconds, connections)
    print(json.dumps({kind: asdict(target.figures()) for kind, target in targets.items()}, indent=2))
    rate = {kind: target.figures().requests_per_s for kind, target in targets.items()}
    for baseline in BASELINES:
        print(f"the ingress takes {rate['ingress'] / rate[baseline]:.0%} of the requests/s of {baseline}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each round on each server")
    parser.add_argument("--connections", type=int, default=64)
    given = parser.parse_args()
    uvloop.run(_main(given.rounds, given.seconds, given.connections))
