"""DBOS on PostgreSQL: two processes, each takes orders and runs the workflows that it has started."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from bench.connection import Endpoint
from bench.peers.install import python_env
from bench.peers.postgres import Postgres
from bench.peers.ready import listens
from bench.program import Program
from bench.progress import Say
from cli.kafka.preflight import free_port

_PYTHON = ("dbos==3.4.0", "aiohttp==3.14.5", "uvloop==0.23.0")
_PROCESSES = 2
_PROJECT = Path(__file__).parents[2]
_SUCCEEDED = "from dbos.workflow_status where status = 'SUCCESS'"


class Dbos:
    """Started in the request, without DBOS's queue: that was the faster of the two in every figure."""

    name = "dbos"

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self._port = free_port()

    def setup(self, home: Path, say: Say) -> None:
        self._database = Postgres(say)
        self._python = python_env(home, _PYTHON, say)

    async def start(self, data: Path) -> None:
        self._programs.append(await self._database.start(data))
        for number in range(_PROCESSES):
            app = await Program.start(
                f"dbos-{number}",
                [self._python, "-m", "bench.services.dbos_app"],
                log=data.with_suffix(f".app-{number}.log"),
                env={
                    "PYTHONPATH": str(_PROJECT),
                    "BENCH_PORT": str(self._port),
                    "BENCH_DATABASE": self._database.url,
                    "BENCH_EXECUTOR": f"executor-{number}",
                },
            )
            self._programs.append(app)
            # The first migrates the database: the next must find it done.
            await app.wait_until(partial(listens, app.pid, self._port))

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self._port}/orders", "idempotency-key")

    @property
    def roots(self) -> Sequence[int]:
        return [program.pid for program in self._programs]

    async def finished(self) -> int:
        query = f"select count(*) {_SUCCEEDED}"
        return int((await asyncio.to_thread(self._database.select, query))[0][0])

    async def finish_times(self, batch: str) -> dict[str, float]:
        query = f"select workflow_uuid, updated_at {_SUCCEEDED} and workflow_uuid like '{batch}-%'"
        rows = await asyncio.to_thread(self._database.select, query)
        return {order_id: int(at_ms) / 1000 for order_id, at_ms in rows}

    def watched(self) -> AbstractContextManager[Mapping[str, float]]:
        return nullcontext({})

    async def stop(self) -> None:
        # The programs before their database, as an operator would.
        await asyncio.gather(*(program.stop() for program in self._programs[1:]))
        await asyncio.gather(*(program.stop() for program in self._programs[:1]))
        self._programs.clear()
