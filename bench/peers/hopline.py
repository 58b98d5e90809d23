"""Hopline as its user starts it: `hopline up`, with broker and ClickHouse engine embedded."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from bench.connection import Endpoint
from bench.deployment import MAX_ROWS, Deployment
from bench.peers.ends import ends_read
from bench.program import Program, StartFailed
from bench.progress import Say
from cli.errors import CommandFailed
from cli.kafka.preflight import free_port
from transport.settings import KafkaSettings

_START_TIMEOUT_S = 300.0
"""The first start downloads the broker."""
_READY = "Hopline is up."
"""What it prints once its samples have run: until then it asks for them, which is work of its own."""


class Times(NamedTuple):
    """Of one run, in unix seconds."""

    accepted: float
    """By the ingress, the event that began it."""
    begun: float
    finished: float
    recorded: float
    """When the insert of its row began; it can be queried once that has ended."""


class Hopline:
    """A run counts by the `recorded_at` of its row in ClickHouse, which is when its insert begins."""

    name = "hopline"

    def __init__(self, *, workers: int = 1, env: Mapping[str, str] | None = None) -> None:
        """`env`: more settings, for all of its processes."""
        self._workers = workers
        self._env = env or {}
        self._program: Program | None = None

    def setup(self, home: Path, say: Say) -> None:
        """Nothing: it is what is installed."""

    async def start(self, data: Path) -> None:
        port = free_port()
        up = Path(sys.executable).with_name("hopline")
        self._program = await Program.start(
            "hopline up",
            [up, "up", "--data-dir", data, "--port", str(port), "--workers", str(self._workers)],
            log=(terminal := data / "terminal.log"),
            env=self._env,
        )

        async def ready() -> bool:
            return _READY in terminal.read_text()

        await self._program.wait_until(ready, _START_TIMEOUT_S)
        self._deployment = Deployment(f"http://127.0.0.1:{port}", (data / "api-key").read_text().strip())
        try:
            self._job = await self._deployment.install_job()
        except CommandFailed as failure:
            raise StartFailed(str(failure)) from failure

    @property
    def endpoint(self) -> Endpoint:
        return self._job.endpoint

    @property
    def roots(self) -> Sequence[int]:
        return [self._program.pid] if self._program else []

    async def finished(self) -> int:
        # The samples that `up` fires are runs of other workflows.
        where = f"status = 'SUCCEEDED' AND workflow_id = '{self._job.workflow_id}'"
        rows = await self._deployment.select(f"SELECT count() AS runs FROM workflow_runs WHERE {where}")
        return int(rows[0]["runs"])

    async def finish_times(self, batch: str) -> dict[str, float]:
        return {order: times.recorded for order, times in (await self.times(batch)).items()}

    def watched(self) -> AbstractContextManager[Mapping[str, float]]:
        return ends_read(KafkaSettings())

    async def times(self, batch: str) -> dict[str, Times]:
        """Order id -> when what happened; of the runs that have ended well. Raises `CommandFailed`."""
        times: dict[str, Times] = {}
        while rows := await self._deployment.select(
            f"SELECT {_ORDER} AS order_id, {_TIMES} {_SUCCEEDED.format(batch=batch)} "
            f"AND order_id > '{max(times, default='')}' ORDER BY order_id LIMIT {MAX_ROWS}"
        ):
            times |= {row["order_id"]: Times(*(row[name] for name in Times._fields)) for row in rows}
        return times

    async def stop(self) -> None:
        if self._program is not None:
            await self._program.stop()
            self._program = None


_ORDER = "JSONExtractString(inputs, 'order_id')"
_TIMES = (
    "toFloat64(event_at) AS accepted, toFloat64(created_at) AS begun, "
    "toFloat64(finished_at) AS finished, toFloat64(recorded_at) AS recorded"
)
_SUCCEEDED = f"FROM workflow_runs WHERE status = 'SUCCEEDED' AND startsWith({_ORDER}, '{{batch}}-')"
