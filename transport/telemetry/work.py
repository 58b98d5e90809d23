"""What is being worked on: for the lines of the log, and for noting what a node asks of others."""

import hashlib
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

CALLS = "calls"
"""In `execution_metadata`: the requests of a node, in the order in which they ended. See `Call.ended`."""


@dataclass(slots=True)
class Work:
    """One attempt at a node."""

    execution_id: str
    run_id: str
    tenant_id: str
    node_id: str
    traceparent: str = ""
    """The span of the execution; "" for a task of an earlier release."""
    most_calls: int = 100
    calls: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False
    """Nothing is noted any more: what still runs in its context belongs to nobody."""
    _begun: int = 0

    def call(self, method: str, url: URL) -> "Call":
        """A request begins."""
        self._begun += 1
        digest = hashlib.sha1(f"{self.execution_id}/{self._begun}".encode(), usedforsecurity=False)
        return Call(self, method, url, digest.hexdigest()[:16], time.time_ns(), time.perf_counter_ns())


@dataclass(slots=True)
class Call:
    """A request to somebody else. Made again, it is the same span."""

    work: Work
    method: str
    url: URL
    span_id: str
    at_ns: int
    started_ns: int

    @property
    def traceparent(self) -> str:
        """For the header of the request; "" where there is no trace."""
        given = self.work.traceparent
        return f"{given[:36]}{self.span_id}{given[-3:]}" if given else ""

    def ended(self, status: int, error: str = "") -> None:
        """Notes it: `status` of the answer, 0 without one, and the name of the error."""
        work = self.work
        if work.over or len(work.calls) >= work.most_calls:
            return
        work.calls.append(
            {
                "at": self.at_ns // 1000,
                "us": (time.perf_counter_ns() - self.started_ns) // 1000,
                "method": self.method,
                # Who is asked, and not for what: credentials and data travel in queries.
                "url": str(self.url.with_user(None).with_query(None).with_fragment(None)),
                "host": self.url.host or "",
                "port": self.url.port or 0,
                "status": status,
                "error": error,
                "span": self.span_id,
            }
        )


CURRENT: ContextVar[Work | None] = ContextVar("hopline_work", default=None)
"""Of the task that runs."""


class TraceHosts:
    """Who is told which trace a request belongs to."""

    def __init__(self, hosts: tuple[str, ...] = ()) -> None:
        """See `TraceSettings.hosts`."""
        self._everybody = "*" in hosts
        self._hosts = frozenset(hosts)
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))

    def __contains__(self, host: str) -> bool:
        host = host.rstrip(".").lower()
        return self._everybody or host in self._hosts or host.endswith(self._below)
