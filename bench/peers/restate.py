"""Restate: its server in one process, the handler with the Python SDK in another."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import aiohttp

from bench.connection import Endpoint
from bench.peers.install import npm_packages, python_env
from bench.peers.peer import PeerUnavailable, unix_s
from bench.program import Program, StartFailed
from bench.progress import Say
from cli.kafka.preflight import free_port

_NPM = ("@restatedev/restate-server@1.7.12",)
_PYTHON = ("restate-sdk==1.3.0", "hypercorn==0.18.0", "uvloop==0.23.0")
_PROJECT = Path(__file__).parents[2]
_COMPLETED = "from sys_invocation where status = 'completed' and idempotency_key is not null"


class Restate:
    """Orders are sent one way (`/send`): the answer says that the invocation is durable, not done."""

    name = "restate"

    def __init__(self) -> None:
        self._programs: list[Program] = []
        self._ingress, self._admin, self._node, self._handler = (free_port() for _ in range(4))

    def setup(self, home: Path, say: Say) -> None:
        self._python = python_env(home, _PYTHON, say)
        binaries = npm_packages(home, _NPM, say).glob("@restatedev/restate-server-*/bin/restate-server")
        server = next(binaries, None)
        if server is None:
            raise PeerUnavailable("has no server for this platform on npm")
        self._server = server

    async def start(self, data: Path) -> None:
        server = await Program.start(
            "restate-server",
            [self._server, "--base-dir", data, "--node-name", "bench", "--no-logo", "--listen-mode", "tcp"],
            log=data.with_suffix(".server.log"),
            env=self._server_settings(),
        )
        self._programs.append(server)
        handler = await Program.start(
            "restate-handler",
            [self._python, "-m", "hypercorn", "--bind", f"127.0.0.1:{self._handler}",
             "--worker-class", "uvloop", "--workers", "1", "bench.services.restate_app:app"],
            log=data.with_suffix(".handler.log"),
            env={"PYTHONPATH": str(_PROJECT)},
        )  # fmt: skip
        self._programs.append(handler)
        await server.wait_until(self._healthy)
        await handler.wait_until(self._registered)
        await server.wait_until(self._serves)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"http://127.0.0.1:{self._ingress}/Order/run/send", "idempotency-key")

    @property
    def roots(self) -> Sequence[int]:
        return [program.pid for program in self._programs]

    async def finished(self) -> int:
        rows = await self._query(f"select count(*) as n {_COMPLETED}")
        return int(rows[0]["n"])

    async def finish_times(self, batch: str) -> dict[str, float]:
        columns = "idempotency_key, completed_at, completion_result"
        rows = await self._query(f"select {columns} {_COMPLETED} and idempotency_key like '{batch}-%'")
        return {
            row["idempotency_key"]: unix_s(row["completed_at"])
            for row in rows
            if row["completion_result"] == "success"
        }

    def watched(self) -> AbstractContextManager[Mapping[str, float]]:
        return nullcontext({})

    async def stop(self) -> None:
        # The handler waits for connections that the server keeps open, and what it leaves is thrown away.
        await asyncio.gather(*(program.stop(timeout_s=5) for program in self._programs))
        self._programs.clear()

    def _server_settings(self) -> dict[str, str]:
        return {
            "RESTATE_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{self._ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{self._admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{self._node}",
            "RESTATE_LOG_FILTER": "warn",
        }

    async def _healthy(self) -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(f"{self._url}/health") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _registered(self) -> bool:
        handler = {"uri": f"http://127.0.0.1:{self._handler}"}
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{self._url}/deployments", json=handler) as answer,
            ):
                return answer.status in (200, 201)
        except aiohttp.ClientError:
            return False

    async def _serves(self) -> bool:
        """Whether its partitions have leaders: an order is done, and can be seen to be."""
        headers = {"idempotency-key": "probe"}
        url = f"http://127.0.0.1:{self._ingress}/Order/run"
        content = {"order_id": "probe", "amount": 1, "currency": "EUR", "customer": {"name": "probe"}}
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.post(url, json=content, headers=headers) as answer,
            ):
                return answer.status == 200 and await self.finished() == 1
        except (aiohttp.ClientError, StartFailed):
            return False

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._admin}"

    async def _query(self, sql: str) -> list[dict[str, Any]]:
        headers = {"accept": "application/json"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{self._url}/query", json={"query": sql}, headers=headers) as answer,
        ):
            if answer.status != 200:
                raise StartFailed(f"Restate's SQL answers {answer.status}: {await answer.text()}")
            rows: list[dict[str, Any]] = (await answer.json())["rows"]
            return rows
