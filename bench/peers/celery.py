"""Celery on Redis: one worker with two pool processes, orders taken by one aiohttp process."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import orjson

from bench.connection import Endpoint
from bench.peers.install import python_env, run, system_program
from bench.peers.peer import PeerUnavailable, unix_s
from bench.peers.ready import listens
from bench.program import Program, StartFailed
from bench.progress import Say
from cli.kafka.preflight import free_port

_PYTHON = ("celery[redis]==5.7.0", "aiohttp==3.14.5", "uvloop==0.23.0", "hiredis==3.4.2")
_POOL = 2
_PROJECT = Path(__file__).parents[2]
_KEY = "celery-task-meta-{batch}-*:4"
_KEYS_AT_ONCE = 500


class Celery:
    """A chain of four tasks. Redis appends each write to its log and syncs that once a second."""

    name = "celery"

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self._port, self._redis_port = free_port(), free_port()

    def setup(self, home: Path, say: Say) -> None:
        self._redis = system_program("redis-server", "redis-server", say)
        self._cli = system_program("redis-cli", "redis-tools", say)
        self._python = python_env(home, _PYTHON, say)

    async def start(self, data: Path) -> None:
        redis = await Program.start(
            "redis",
            [self._redis, "--port", str(self._redis_port), "--bind", "127.0.0.1", "--dir", data,
             "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
            log=data.with_suffix(".redis.log"),
            env={},
        )  # fmt: skip
        self._programs.append(redis)
        await redis.wait_until(partial(listens, redis.pid, self._redis_port))
        settings = {
            "PYTHONPATH": str(_PROJECT),
            "BENCH_PORT": str(self._port),
            "BENCH_REDIS": f"redis://127.0.0.1:{self._redis_port}",
        }
        celery = (self._python, "-m", "celery", "-A", "bench.services.celery_tasks")
        worker = await Program.start(
            "celery-worker",
            (*celery, "worker", "--pool", "prefork", "--concurrency", str(_POOL),
             "--loglevel", "WARNING", "--without-gossip", "--without-mingle"),
            log=data.with_suffix(".worker.log"),
            env=settings,
        )  # fmt: skip
        self._programs.append(worker)
        web = await Program.start(
            "celery-web",
            [self._python, "-m", "bench.services.celery_app"],
            log=data.with_suffix(".web.log"),
            env=settings,
        )
        self._programs.append(web)
        await web.wait_until(partial(listens, web.pid, self._port))

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self._port}/orders", "idempotency-key")

    @property
    def roots(self) -> Sequence[int]:
        return [program.pid for program in self._programs]

    async def finished(self) -> int:
        # One key for each of the four tasks, written when it has ended; this database has nothing else.
        return int((await asyncio.to_thread(self._ask, "DBSIZE"))[0]) // 4

    async def finish_times(self, batch: str) -> dict[str, float]:
        return dict(await asyncio.to_thread(lambda: list(self._ends(batch))))

    def watched(self) -> AbstractContextManager[Mapping[str, float]]:
        return nullcontext({})

    async def stop(self) -> None:
        # Redis last: the others talk to it while they stop.
        await asyncio.gather(*(program.stop() for program in self._programs[1:]))
        await asyncio.gather(*(program.stop() for program in self._programs[:1]))
        self._programs.clear()

    def _ended(self, batch: str) -> list[str]:
        """The keys of the results of the last task; Celery writes one when the task has ended."""
        return self._ask("--scan", "--pattern", _KEY.format(batch=batch))

    def _ends(self, batch: str) -> Iterator[tuple[str, float]]:
        keys = self._ended(batch)
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            for line in self._ask("MGET", *keys[first : first + _KEYS_AT_ONCE]):
                result = orjson.loads(line)
                if result["status"] == "SUCCESS":
                    yield result["task_id"].removesuffix(":4"), unix_s(result["date_done"])

    def _ask(self, *words: str) -> list[str]:
        try:
            return run([self._cli, "-p", str(self._redis_port), "-n", "1", *words], Path("/")).splitlines()
        except PeerUnavailable as error:
            raise StartFailed(f"Redis: {error}") from error
