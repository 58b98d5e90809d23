"""What the bench asks of an engine that it measures."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.connection import Endpoint
from bench.progress import Say


class PeerUnavailable(Exception):
    """Can't be installed here. The message says what is missing; the bench goes on without this peer."""


class Peer(Protocol):
    """An engine that does the job of `bench.services.steps` for each order posted to it.

    Calls come in this order: `setup` once, then for each repetition `start`, the rest, `stop`.
    """

    @property
    def name(self) -> str: ...

    def setup(self, home: Path, say: Say) -> None:
        """Installs into `home` what is not there yet; blocks. Raises `PeerUnavailable`."""
        ...

    async def start(self, data: Path) -> None:
        """Starts all servers on an empty directory, returns when orders are served. Raises `StartFailed`."""
        ...

    @property
    def endpoint(self) -> Endpoint:
        """Where orders go, once started."""
        ...

    @property
    def roots(self) -> Sequence[int]:
        """The pids whose trees are all its server processes."""
        ...

    async def finished(self) -> int:
        """How many runs of orders have ended well since the start. Cheap, not free: ask rarely."""
        ...

    async def finish_times(self, batch: str) -> dict[str, float]:
        """Order id -> unix seconds at which the run's end was recorded."""
        ...

    def watched(self) -> AbstractContextManager[Mapping[str, float]]:
        """Afterwards: order id -> unix seconds at which the end of its run was safe in the engine's own log.

        Of the runs that have ended well meanwhile. Nothing where that is what `finish_times` tells.
        """
        ...

    async def stop(self) -> None:
        """Ends every process; also after a `start` that failed. Idempotent."""
        ...


def unix_s(text: str) -> float:
    """Of a time that an engine tells, in UTC where it does not say."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
